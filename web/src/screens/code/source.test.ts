import { expect, it } from 'vitest';
import { sourceAt, treeOf } from './source';

const text = '# top\n---\nkind: Gateway\nmetadata:\n  annotations:\n    meshstorm.io/source: Model/mall\n---\nkind: Service\nmetadata:\n  annotations:\n    meshstorm.io/source: "BoundedContext/order"\nspec: {}\n---\nkind: ConfigMap\n';

it('finds the sticker that a line came from', () => {
  expect([1, 3, 6, 8, 12, 14, 99].map((l) => sourceAt(text, l))).toEqual([undefined, 'Model/mall', 'Model/mall', 'BoundedContext/order', 'BoundedContext/order', undefined, undefined]);
});

it('makes a tree of paths', () => {
  const t = treeOf([{ path: 'b.yaml' }, { path: 'a/x/1.yml' }, { path: 'a/2.yml' }]);
  expect(t.files.map((f) => f.name)).toEqual(['b.yaml']);
  expect(t.folders[0]!.folders[0]!.files[0]!.file.path).toBe('a/x/1.yml');
});
