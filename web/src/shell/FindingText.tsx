import { useTranslation } from 'react-i18next';
import { meaning } from '../i18n/findings';

/** What is wrong, in the page's language, and the program's own words, which name the place. */
export function FindingText({ finding }: { finding: { code: string; message: string } }) {
  useTranslation(); // drawn anew with the language
  const m = meaning(finding.code);
  if (!m) return <>{finding.message}</>;
  return <>{m.means} {m.todo} <span className="original" lang="en">{finding.message}</span></>;
}
