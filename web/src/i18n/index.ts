import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import { en } from './en';
import { ko } from './ko';

export type Language = 'en' | 'ko';
export type TextKey = keyof typeof en & string;
const kept = 'meshstorm.language';

/** The language to start in: what was chosen here, else the server's, else the browser's. */
export function firstLanguage(server?: string): Language {
  const stored = localStorage.getItem(kept);
  if (stored === 'en' || stored === 'ko') return stored;
  if (server === 'en' || server === 'ko') return server;
  return navigator.languages.find((l) => /^(ko|en)\b/i.test(l))?.toLowerCase().startsWith('ko') ? 'ko' : 'en';
}

export function startTexts(): void {
  const language = firstLanguage();
  document.documentElement.lang = language;
  void i18next.use(initReactI18next).init({
    lng: language,
    fallbackLng: 'en',
    resources: { en: { translation: en }, ko: { translation: ko } },
    keySeparator: false,
    nsSeparator: false,
    interpolation: { escapeValue: false },
    initAsync: false,
  });
}

export function setLanguage(language: Language): void {
  localStorage.setItem(kept, language);
  document.documentElement.lang = language;
  void i18next.changeLanguage(language);
}

/** A text outside of components. */
export const text = (key: TextKey, values?: Record<string, unknown>): string => i18next.t(key, values ?? {}) as string;
