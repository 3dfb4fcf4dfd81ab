import { h, fill } from './dom.js';
import { t } from './i18n.js';

// progress draws steps as a line that is inked as they are taken. at(step) makes a step active and all before it done.
export function progress(prefix, names) {
  const items = new Map(names.map((n) => [n, h('li', { test: `step-${n}`, data: { state: 'waiting' } }, t(`${prefix}.${n}`))]));
  const live = h('p', { class: 'hidden-text', role: 'status', 'aria-live': 'polite' });
  const list = h('ol', { class: 'steps' }, [...items.values()]);
  const element = h('div', { class: 'stack', test: 'progress', data: { state: 'running' } }, list, live);
  const mark = (li, state) => {
    li.dataset.state = state;
    if (state === 'active') li.setAttribute('aria-current', 'step'); else li.removeAttribute('aria-current');
  };
  let place = -1;
  return {
    element,
    at(name) {
      const index = names.indexOf(name);
      if (index <= place) return; // reports may come twice
      place = index;
      names.forEach((n, i) => mark(items.get(n), i < index ? 'done' : i === index ? 'active' : 'waiting'));
      fill(live, t(`${prefix}.${name}`));
    },
    done() {
      names.forEach((n) => mark(items.get(n), 'done'));
      element.dataset.state = 'done';
    },
    fail() {
      if (place >= 0) mark(items.get(names[place]), 'failed');
      element.dataset.state = 'failed';
    },
  };
}
