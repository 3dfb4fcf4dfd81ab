// 8. Readiness: everything that can stand in the way, each with its own words and next step.
import { h, fill, button, badge, icon, note } from './dom.js';
import { t, time } from './i18n.js';
import { explain, carrierName } from './parts.js';

const clockLimit = 120; // seconds

export function ready(app) {
  let skew; // seconds that this computer is ahead of the portal

  async function askClock() {
    const before = Date.now();
    const r = await fetch('/api/clock', { cache: 'no-store' });
    skew = Math.round(((before + Date.now()) / 2 - Date.parse(r.headers.get('Date'))) / 1000);
  }

  return {
    id: 'ready',
    watches: true,
    render(root) {
      const { agent } = app;
      const failed = h('div');
      const say = (e) => fill(failed, explain(e));
      const look = button(t('ready.check'), async () => {
        fill(failed);
        await askClock();
        await agent.open();
        app.show();
      }, { kind: agent.ready ? '' : 'primary', test: 'check', failed: say });

      const state = agent.state;
      const good = state === 'ready';
      const agentCard = item('agent-state', state, good ? 'good' : state === 'unknown' ? '' : ['ask', 'permission_pending'].includes(state) ? 'warn' : 'bad',
        t('ready.agent'), t(`ready.agent.${state}`), t(`ready.agent.${state}.next`, { site: location.origin }), [
          state === 'ask' && h('div', { class: 'row' }, button(t('ready.allow'), () => agent.allow(t('ready.purpose')), { kind: 'primary', test: 'allow', failed: say })),
          good && h('p', { class: 'quiet' }, t('ready.version', { version: agent.pero.hello.version })),
        ]);
      const carriers = agent.carriers;
      const carrierState = !good ? 'unknown' : carriers.length ? 'ok' : agent.tokens.length ? 'unusable' : 'none';
      const carriersCard = item('carriers-state', carrierState, { ok: 'good', unknown: '' }[carrierState] ?? 'bad', t('ready.carriers'),
        t(`ready.carriers.${carrierState}`, { n: carriers.length }), t(`ready.carriers.${carrierState}.next`), [
          agent.tokens.length > 0 && h('ul', { class: 'plain' }, agent.tokens.map((x) => h('li', { class: 'row' }, h('span', { class: 'mini' }, small(x.carrier)), carrierName(x), x.state !== 'ready' && badge(t(`token.${x.state}`), x.state === 'pin_not_set' ? '' : 'warn'),
            x.pinToBeChanged && badge(t('token.pin_to_be_changed'), 'warn'),
            hasPIN(x) && button(t('ready.pin'), async () => {
              fill(failed, note('', t('ready.pin.look')));
              await agent.pero.changePIN(x.id);
              await agent.refresh();
              app.tell('ready', () => note('good', t('ready.pin.done', { name: carrierName(x) })));
            }, { kind: 'quiet', test: 'pin', failed: (e) => app.tell('ready', () => explain(e)), describe: `${t('ready.pin')}: ${carrierName(x)}` })))),
        ]);
      const off = Math.abs(skew ?? 0) > clockLimit;
      const clockState = skew === undefined ? 'unknown' : off ? 'wrong' : 'ok';
      const clockCard = item('clock-state', clockState, { ok: 'good', wrong: 'bad', unknown: '' }[clockState], t('ready.clock'),
        t(`ready.clock.${clockState}`, { here: time(new Date()), minutes: Math.round(Math.abs(skew ?? 0) / 60) }), t(`ready.clock.${clockState}.next`), []);

      fill(root, app.title('ready'), h('div', { class: 'row' }, look), failed, agentCard, carriersCard, clockCard,
        good && carriers.length > 0 && !off && h('p', {}, h('a', { href: '#signature' }, t('ready.go'))));
      if (skew === undefined) askClock().then(() => app.show(), () => {}); // a portal that does not answer is said by the next call
    },
  };
}

// hasPIN: what it can be changed on, or set. A file that is not there yet gets its PIN with its first key.
const hasPIN = (x) => !['uninitialized', 'unreadable'].includes(x.state) && !(x.carrier === 'file' && x.state === 'pin_not_set');

function small(name) {
  const i = icon(name);
  i.setAttribute('width', 22);
  i.setAttribute('height', 22);
  return i;
}

function item(test, state, kind, title, text, next, extra) {
  return h('section', { class: 'card', test, data: { state } },
    h('div', { class: 'row spread' }, h('h2', {}, title), badge(t(`ready.badge.${kind || 'none'}`), kind)),
    h('p', {}, text), next && h('p', { class: kind === 'good' ? 'quiet' : '' }, next), extra);
}
