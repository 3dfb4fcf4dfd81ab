// Words come from one catalogue for each language: {"key": "text with {name}"}, plural forms as {"key": {"one", "few", "many", "other"}} by {n}.

export const languages = ['ru', 'en'];
const words = {};
let current = '';
let plural;

export const language = () => current;

export async function speak(lang) {
  words[lang] ??= await (await fetch(`/page/${lang}.json`)).json();
  current = lang;
  plural = new Intl.PluralRules(lang);
  document.documentElement.lang = lang;
  localStorage.setItem('language', lang);
}

// first is the language chosen before, or the browser's first that we have.
export function first() {
  const chosen = localStorage.getItem('language');
  if (languages.includes(chosen)) return chosen;
  for (const l of navigator.languages ?? []) {
    const short = l.slice(0, 2).toLowerCase();
    if (languages.includes(short)) return short;
  }
  return 'en';
}

export const known = (key) => words[current]?.[key] !== undefined;

export function t(key, values = {}) {
  let text = words[current]?.[key];
  if (text === undefined) return key;
  if (typeof text === 'object') text = text[plural.select(values.n)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all).replaceAll('г..', 'г.'); // a date ends with its own full stop
}

export const date = (iso) => iso ? new Intl.DateTimeFormat(current, { dateStyle: 'long' }).format(new Date(iso)) : '';
export const time = (iso) => iso ? new Intl.DateTimeFormat(current, { dateStyle: 'long', timeStyle: 'medium' }).format(new Date(iso)) : '';

export function size(n) {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte'];
  let i = 0;
  while (n >= 1024 && i < 3) { n /= 1024; i++; }
  return new Intl.NumberFormat(current, { style: 'unit', unit: units[i], unitDisplay: i ? 'short' : 'long', maximumFractionDigits: n < 10 && i ? 1 : 0 }).format(n);
}
