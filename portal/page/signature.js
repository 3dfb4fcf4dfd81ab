// 1 and 2. The current certificate with its status, and re-issue by one button.
import { h, fill, button, note, facts } from './dom.js';
import { call, bytes, base64 } from './api.js';
import { t, date, time } from './i18n.js';
import { progress } from './progress.js';
import { carrierChoice, keyChoice, explain, statusBadge, kinds } from './parts.js';

export function signature(app) {
  const work = h('div', { class: 'stack' }); // what a re-issue says stays when a token that comes or goes draws the section anew
  let chosen = {}; // carrier and kind of the new key, for the same reason

  return {
    id: 'signature',
    watches: true,
    leave() { if (!app.busy) fill(work); },
    async render(root) {
      const { agent } = app;
      const issued = await call('GET', '/api/certificates');
      const onCarrier = new Map(agent.certificates.map((c) => [c.id, c]));
      const usable = (c) => ['valid', 'expiring'].includes(c.status);
      // current: the newest good one at hand, else the newest at hand, else the newest
      const current = issued.find((c) => onCarrier.has(c.id) && usable(c)) ?? issued.find((c) => onCarrier.has(c.id)) ?? issued[0];
      const others = issued.filter((c) => c !== current);
      fill(root, app.title('signature'), !agent.ready && app.notReady(),
        current ? await certificateCard(current, onCarrier.get(current.id)) : empty(),
        others.length > 0 && h('details', { class: 'card', open: others.some((c) => c.status === 'revoked') }, h('summary', {}, t('signature.others', { n: others.length })),
          h('ul', { class: 'plain' }, others.map((c) => h('li', { class: 'row spread' },
            h('span', {}, h('span', { class: 'mono' }, c.serial), ' ', h('span', { class: 'quiet' }, t('signature.until', { date: date(c.notAfter) }))), statusBadge(c.status))))));
    },
  };

  function empty() {
    return h('section', { class: 'card' }, h('h2', {}, t('signature.none')), h('p', {}, t('signature.none.text')), h('p', {}, h('a', { href: '#first' }, t('signature.none.next'))));
  }

  // certificateCard shows Pero's answer (which has asked OCSP or the CRL) beside the authority's own records.
  async function certificateCard(c, local) {
    let checked = null;
    let failure = null;
    if (local && app.agent.ready) {
      try { checked = await app.agent.pero.status(local.id); } catch (e) { failure = e; }
    }
    const status = worst(checked?.status, c.status);
    const own = checked?.status === status; // else the authority's records know more than the last OCSP answer or CRL
    const days = checked?.expiresInDays ?? c.expiresInDays;
    const can = app.agent.ready && local && ['valid', 'expiring'].includes(c.status);
    // A GOST key is followed by one of its own size, any other by the token's usual kind.
    if (chosen.id !== c.id) chosen = { id: c.id, key: c.keyAlgorithm.startsWith('gost') ? c.keyAlgorithm : undefined };
    const place = can && carrierChoice(app.agent.carriers, chosen.token ?? local.token);
    const key = place && keyChoice(place, chosen.key);
    if (place) {
      place.element.addEventListener('choose', () => { chosen.token = place.value; });
      key.select.addEventListener('change', () => { chosen.key = key.value; });
    }
    const reissue = button(t('signature.reissue'), () => reissueNow(c, local, place.value, key.value), { kind: 'primary', test: 'reissue', disabled: !can, failed: (e) => fill(work, explain(e)) });
    return h('section', { class: `card seal ${{ bad: 'bad', warn: 'warn' }[kinds[status]] ?? ''}`, test: 'certificate', data: { id: c.id, status, source: own ? checked.source ?? '' : 'portal' } },
      h('div', { class: 'row spread' }, h('h2', {}, c.holder), statusBadge(status)),
      h('p', {}, t(`signature.${status}`, { n: days, date: date(c.notAfter), at: date(checked?.revokedAt ?? c.revokedAt), reason: t(`revocation.${checked?.reason || c.reason || 'unspecified'}`) })),
      warning(status, days),
      facts([t('signature.holds'), `${date(c.notBefore)} – ${date(c.notAfter)}`], [t('verdict.issuer'), c.issuer], [t('verdict.inn'), c.inn], [t('verdict.snils'), c.snils],
        [t('signature.key'), c.keyAlgorithm && t(`key.${c.keyAlgorithm}`)], [t('verdict.serial'), h('span', { class: 'mono' }, c.serial)],
        [t('signature.checked'), own ? t(`source.${checked.source ?? (['expired', 'not_yet_valid'].includes(status) ? 'term' : 'none')}`, { time: time(checked.checkedAt) }) : t('source.portal')]),
      failure && explain(failure),
      app.agent.ready && !local && note('warn', t('signature.absent')),
      place && h('details', {}, h('summary', {}, t('signature.place')), h('div', { class: 'stack' }, app.agent.carriers.length > 1 && place.element, key.element)),
      h('div', { class: 'row' }, reissue, h('span', { class: 'quiet' }, can ? t('signature.reissue.hint') : t(`signature.reissue.${!app.agent.ready ? 'agent' : !local ? 'absent' : 'ended'}`))),
      work);
  }

  function warning(status, days) {
    if (status === 'expiring') return note('warn', t('signature.warn.expiring', { n: days }), h('p', {}, t('signature.warn.expiring.next')));
    if (['expired', 'revoked', 'untrusted', 'unknown', 'not_yet_valid'].includes(status)) {
      return h('div', { class: `note ${kinds[status]}`, test: 'warning', role: 'alert' }, h('strong', {}, t(`signature.warn.${status}`)), h('p', {}, t(`signature.warn.${status}.next`)));
    }
    return null;
  }

  async function reissueNow(c, local, token, algorithm) {
    const { agent } = app;
    const stop = new AbortController();
    const steps = progress('reissue', ['open', 'consent', 'key', 'request', 'authority', 'checking', 'writing', 'proving', 'profile']);
    const cancel = button(t('common.cancel'), () => stop.abort(), { test: 'cancel' });
    fill(work, steps.element, h('div', { class: 'row' }, cancel));
    app.busy = true;
    let a;
    try {
      steps.at('open');
      a = await call('POST', '/api/renewals', { certificate: c.serial });
      const certificate = await agent.pero.renew({
        certificate: local.id, token, key: { algorithm }, requestId: a.requestId, signal: stop.signal,
        onProgress: ({ step }) => steps.at(step === 'signing' ? 'consent' : step),
      }, async ({ csr, signedRequest }) => {
        steps.at('authority');
        const r = await call('POST', `/api/applications/${a.id}/certificate`, { csr: base64(csr), signedRequest: base64(signedRequest) });
        return r.certificates.map(bytes);
      });
      steps.at('profile');
      await call('POST', `/api/applications/${a.id}/installed`);
      await agent.refresh();
      steps.done();
      app.busy = false;
      fill(work);
      await app.tell('signature', () => note('good', t('reissue.done'), h('p', {}, t('reissue.done.text', { serial: certificate.serialNumber, date: date(certificate.notAfter) })), h('p', {}, t('reissue.done.old'))));
    } catch (e) {
      app.busy = false;
      steps.fail();
      const restart = e.reason === 'conflict' && a?.state === 'confirmed' && button(t('add.restart'), async () => {
        await call('POST', `/api/applications/${a.id}/restart`);
        fill(work);
        await app.show();
      }, { test: 'restart' });
      fill(work, steps.element, explain(e), h('p', { class: 'quiet' }, t('reissue.safe')), restart && h('div', { class: 'row' }, restart));
    }
  }

  function worst(a, b) {
    const order = ['revoked', 'expired', 'untrusted', 'not_yet_valid', 'expiring', 'valid', 'unknown'];
    return order.find((s) => s === a || s === b) ?? b;
  }
}
