import { expect, it } from 'vitest';
import { nextImage, parseSteps, plans } from './plan';

it('takes steps that rise from 1 to 100, and says what is wrong with others', () => {
  expect(parseSteps('10, 50 100%')).toEqual({ steps: [10, 50, 100] });
  expect(parseSteps(' ')).toEqual({ wrong: 'canary.wrong.none', at: '' });
  for (const part of ['0', '101', '1000', '-5', '1.5', 'x']) expect(parseSteps(`${part}`)).toEqual({ wrong: 'canary.wrong.range', at: part });
  expect(parseSteps('50,10')).toEqual({ wrong: 'canary.wrong.order', at: '10' });
  expect(parseSteps('50,50')).toEqual({ wrong: 'canary.wrong.order', at: '50' });
  for (const { steps } of Object.values(plans)) if (steps) expect(parseSteps(steps)).toHaveProperty('steps');
});

it('knows the next image of a version', () => {
  expect([nextImage('shop/order:v1'), nextImage('a:9'), nextImage('a:latest'), nextImage('r:5000/a:v09')]).toEqual(['shop/order:v2', 'a:10', 'a:latest', 'r:5000/a:v10']);
});
