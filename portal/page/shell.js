// The frame around every page: name, languages, who is signed in, and the plain word that this is a demonstration.
import { h, fill, icon } from './dom.js';
import { t, language, languages, speak, first } from './i18n.js';

export async function begin() {
  await speak(first());
}

// frame draws the page's bar and foot and gives the place between them. redraw is called after a change of language.
export function frame({ title, person, signOut, redraw, wide }) {
  document.title = `${title} · ${t('brand')}`;
  const place = h('div', { class: `frame ${wide ? 'wide' : ''}` });
  fill(document.body,
    h('a', { class: 'skip', href: '#main-content', onclick: (e) => { e.preventDefault(); document.querySelector('main')?.querySelector('h1')?.focus(); } }, t('common.skip')),
    h('header', { class: 'bar' }, h('div', { class: 'bar-in' },
      h('a', { class: 'brand', href: '/' }, icon('nib'), h('span', {}, t('brand'), h('small', {}, t('brand.sub')))),
      h('div', { class: 'tools' },
        person && h('span', { class: 'who' }, person),
        signOut && h('button', { type: 'button', class: 'link', test: 'sign-out', onclick: signOut }, t('common.sign_out')),
        h('div', { class: 'languages', role: 'group', 'aria-label': t('common.language') }, languages.map((l) => h('button', {
          type: 'button', lang: l, test: `language-${l}`, 'aria-pressed': String(l === language()), 'aria-label': { ru: 'Русский', en: 'English' }[l],
          onclick: async () => { await speak(l); await redraw(); },
        }, l.toUpperCase())))))),
    h('div', { class: 'demo' }, h('p', {}, t('common.demo'))),
    place,
    h('footer', { class: 'foot' }, h('span', {}, t('foot.text')), h('a', { href: '/' }, t('foot.citizen')), h('a', { href: '/desk' }, t('desk.title')), h('a', { href: '/outbox' }, t('outbox.title')), h('a', { href: '/ca/root.cer' }, t('foot.root'))));
  return place;
}
