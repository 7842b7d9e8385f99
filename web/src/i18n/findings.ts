import i18next from 'i18next';
import ko from './findings.ko.json';

const korean: Record<string, string[] | undefined> = ko;

interface Said {
  code: string;
  message: string;
}

/** What a code means and what to do, in Korean; null in English, where the message says it. */
export function meaning(code: string): { means: string; todo: string } | null {
  const [means, todo] = (i18next.language?.startsWith('ko') && korean[code]) || [];
  return means ? { means, todo: todo ?? '' } : null;
}

/** A finding as one text. The program's own words, which names and places are in, follow what they mean. */
export function says(f: Said): string {
  const m = meaning(f.code);
  return m ? `${m.means} ${f.message}` : f.message;
}
