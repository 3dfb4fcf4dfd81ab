// What several sections show alike.
import { h, fill, icon, badge, note, facts, newId } from './dom.js';
import { Words } from './api.js';
import { t, known, date, time } from './i18n.js';

// explain says what failed, in the catalogue's words where it has them: whose doing it is and the next step.
export function explain(e) {
  if (e?.name === 'AbortError' || e?.reason === 'cancelled') return note('warn', t('reason.aborted'));
  const plain = `reason.${e?.reason ?? e?.state}`;
  const key = !e?.outcome ? plain : known(`${plain}_${e.outcome}`) ? `${plain}_${e.outcome}` : `reason.outcome_${e.outcome}`;
  if (known(key)) return note(['user_cancelled', 'timed_out'].includes(e.reason) ? 'warn' : 'bad', t(key), e.member && h('span', { class: 'quiet' }, e.member));
  if (e instanceof Words || e?.reason) return note('bad', e.message);
  console.error(e);
  return note('bad', t('reason.page'));
}

export const kinds = { valid: 'good', expiring: 'warn', not_yet_valid: 'warn', unknown: 'warn', expired: 'bad', revoked: 'bad', untrusted: 'bad' };

export const statusBadge = (status) => badge(t(`status.${status}`), kinds[status] ?? '');

// usual is the carrier for a key of the usual kind, GOST: a card or token before a file.
function usual(tokens) {
  const able = tokens.filter((x) => x.keyAlgorithms.includes(keyKinds[0]));
  return able.find((x) => ['smartcard', 'usb_token'].includes(x.carrier)) ?? able.find((x) => x.carrier === 'file') ?? able[0] ?? tokens[0];
}

// carrierChoice is a set of radio buttons over tokens.
export function carrierChoice(tokens, chosen) {
  const name = newId();
  let value = tokens.some((x) => x.id === chosen) ? chosen : usual(tokens)?.id;
  const element = h('fieldset', {}, h('legend', {}, t('carrier.choose')), tokens.map((x) => {
    const input = h('input', { type: 'radio', name, value: x.id, checked: x.id === value, test: `carrier-${x.id}`, data: { carrier: x.carrier } });
    input.addEventListener('change', () => { value = x.id; element.dispatchEvent(new Event('choose')); });
    return h('label', { class: 'choice' }, input, icon(x.carrier),
      h('span', {}, h('strong', {}, carrierName(x)), h('small', {}, carrierDetail(x))),
      x.state !== 'ready' && badge(t(`token.${x.state}`), x.state === 'pin_not_set' ? '' : 'warn'));
  }));
  return { element, tokens, get value() { return value; }, get token() { return tokens.find((x) => x.id === value); } };
}

// kinds of key in the order they are offered: the first that a token makes is the usual one.
const keyKinds = ['gost2012-256', 'gost2012-512', 'ec-p256', 'rsa-2048', 'ec-p384', 'ec-p521', 'rsa-3072', 'rsa-4096'];

// keyChoice is a list of the kinds of key that the token of a carrierChoice makes; chosen stays chosen where the token makes it.
// Where it makes no GOST key, a carrier that does is named.
export function keyChoice(place, chosen) {
  const id = newId();
  const elsewhere = h('span', { class: 'hint', id: `${id}h`, test: 'gost-elsewhere' });
  const select = h('select', { id, test: 'key-algorithm', 'aria-describedby': `${id}h` });
  const offer = () => {
    const kinds = keyKinds.filter((k) => place.token?.keyAlgorithms.includes(k));
    fill(select, kinds.map((k) => h('option', { value: k }, t(`key.${k}`))));
    if (kinds.includes(chosen)) select.value = chosen;
    const other = makesGost(place.token) ? null : usual(place.tokens);
    elsewhere.textContent = makesGost(other) ? t('key.gost_elsewhere', { name: carrierName(other) }) : '';
  };
  select.addEventListener('change', () => { chosen = select.value; });
  place.element.addEventListener('choose', offer);
  offer();
  return { element: h('div', { class: 'field' }, h('label', { for: id }, t('key.choose')), select, elsewhere), select, get value() { return select.value; } };
}

const makesGost = (token) => Boolean(token?.keyAlgorithms.some((k) => k.startsWith('gost')));

export const carrierName = (x) => x.state === 'pin_not_set' && x.carrier === 'file' ? t('carrier.new_file') : x.label || t(`carrier.${x.carrier}`);

const carrierDetail = (x) => x.state === 'pin_not_set' && x.carrier === 'file' ? t('carrier.new_file.detail')
  : [t(`carrier.${x.carrier}`), x.reader || x.model, x.pinPad && t('carrier.pin_pad')].filter(Boolean).join(' · ');

export const ofKey = (c) => known(`key.${c.keyAlgorithm}`) ? t(`key.${c.keyAlgorithm}`) : c.keyAlgorithm;

// ending of a certificate's number: enough to tell one person's certificates apart.
export const ending = (c) => c.serialNumber.slice(-6);

export const holderOf = (c) => c.subject?.commonName || c.holder || '';
export const issuerOf = (c) => c.issuer?.commonName || (typeof c.issuer === 'string' ? c.issuer : '');

// signers is the verdict of the portal on a signature: who, when, with what.
export function verdict(r) {
  const extension = r.attached ? '.p7m' : '.p7s';
  return h('article', { class: `card seal ${r.valid ? '' : 'bad'}`, test: 'result', data: { valid: String(r.valid) } },
    h('div', { class: 'row spread' }, h('h3', {}, r.name), badge(t(r.valid ? 'verdict.good' : 'verdict.bad'), r.valid ? 'good' : 'bad')),
    r.signers.map((s) => h('div', { class: 'stack' },
      facts([t('verdict.who'), s.name], [t('verdict.inn'), s.inn], [t('verdict.snils'), s.snils],
        [t('verdict.when'), s.signingTime && `${time(s.signingTime)} ${t('verdict.claimed')}`],
        [t('verdict.issuer'), s.issuer], [t('verdict.serial'), h('span', { class: 'mono' }, s.serial)],
        [t('verdict.how'), [known(`algorithm.${s.algorithm}`) ? t(`algorithm.${s.algorithm}`) : s.algorithm, s.level && `CAdES-${s.level}`, t(r.attached ? 'verdict.attached' : 'verdict.detached')].filter(Boolean).join(', ')],
        [t('verdict.certificate'), statusBadge(s.status)]),
      s.problem && note('bad', t(`verdict.problem.${s.problem}`)),
      !s.problem && !s.valid && note('bad', t(`verdict.status.${s.status}`, { date: date(s.revokedAt), reason: s.reason ? t(`revocation.${s.reason}`) : '' })),
      s.valid && !s.own && note('warn', t('verdict.other')))),
    h('p', {}, h('a', { href: `/api/signatures/${r.id}/file`, download: r.name + extension, test: 'download' }, t('verdict.download', { extension }))));
}
