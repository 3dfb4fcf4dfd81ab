// Small helpers over the DOM. Text is always text: nothing here parses HTML.
//
// What browser tests may hold on to (data-test, beside data-state and other data-… of the same element):
//   any page   language-ru language-en sign-out error
//   citizen    person-ID nav-SECTION section-SECTION
//   ready      check allow agent-state[data-state] carriers-state[data-state] clock-state[data-state]
//   signature  certificate[data-id][data-status][data-source] warning reissue carrier-ID key-algorithm restart progress[data-state] step-NAME[data-state] success cancel
//   first      new-application application[data-state] authority-ID next field-NAME error-NAME save attach attachment submit code confirm code-again withdraw
//   add        application[data-state] carrier-ID[data-carrier] key-algorithm gost-elsewhere create progress step-NAME success waiting[data-id] complete discard restart
//   sign       certificate files packaging-detached packaging-attached file sign cancel progress result[data-valid] download
//   backup     export-cer export-pem backup restore success
//   journal    signature[data-valid]
//   desk       desk-sign-in application[data-id][data-state] scan approve refuse reason refuse-send certificate[data-serial][data-status] revoke revoke-reason revoke-send
//   outbox     message[data-channel]

export function h(tag, props, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(props ?? {})) {
    if (v === undefined || v === null || v === false) continue;
    if (k.startsWith('on')) e.addEventListener(k.slice(2), v);
    else if (k === 'test') e.dataset.test = v;
    else if (k === 'data') for (const [name, value] of Object.entries(v)) { if (value !== undefined) e.dataset[name] = value; }
    else if (k === 'value' || k === 'checked' || k === 'multiple') e[k] = v;
    else e.setAttribute(k, v === true ? '' : v);
  }
  append(e, children);
  return e;
}

function append(e, children) {
  for (const c of children.flat(Infinity)) if (c !== null && c !== undefined && c !== false) e.append(c);
}

export function fill(e, ...children) {
  e.replaceChildren();
  append(e, children);
  return e;
}

// button runs an action once at a time; what it throws goes to failed. disabled may be a function that is asked again after each action.
export function button(text, action, { kind = '', test, failed, disabled, describe } = {}) {
  const off = typeof disabled === 'function' ? disabled : () => disabled;
  const b = h('button', { type: 'button', class: kind, test, disabled: off(), 'aria-label': describe }, text);
  b.addEventListener('click', async () => {
    if (b.disabled) return;
    b.disabled = true;
    try {
      await action();
    } catch (e) {
      if (!failed) throw e;
      failed(e);
    } finally {
      b.disabled = off();
    }
  });
  return b;
}

let ids = 0;
export const newId = () => `i${++ids}`;

// field is a labelled input with a hint and a place for its error.
export function field({ name, label, hint, type = 'text', value = '', autocomplete = 'off', inputmode, maxlength, check, required = true }) {
  const id = newId();
  const error = h('span', { class: 'error', id: `${id}e`, test: `error-${name}`, 'aria-live': 'polite' });
  const input = h('input', { id, type, value, autocomplete, inputmode, maxlength, test: `field-${name}`, required, 'aria-describedby': `${id}h ${id}e` });
  const say = (text) => {
    error.textContent = text ?? '';
    input.setAttribute('aria-invalid', text ? 'true' : 'false');
  };
  const valid = () => {
    const wrong = check?.(input.value);
    say(wrong);
    return !wrong;
  };
  input.addEventListener('blur', () => { if (input.value) valid(); });
  input.addEventListener('input', () => { if (input.getAttribute('aria-invalid') === 'true') valid(); });
  const element = h('div', { class: 'field' }, h('label', { for: id }, label), input, h('span', { class: 'hint', id: `${id}h` }, hint ?? ''), error);
  return { element, input, say, valid, get value() { return input.value; } };
}

export const badge = (text, kind = '') => h('span', { class: `badge ${kind}` }, text);

export function note(kind, title, ...children) {
  return h('div', { class: `note ${kind}`, role: kind === 'bad' ? 'alert' : 'status', test: { bad: 'error', warn: 'warning', good: 'success' }[kind] }, title && h('strong', {}, title), children);
}

// facts is a list of name and value; empty values are left out.
export function facts(...pairs) {
  return h('dl', { class: 'facts' }, pairs.filter(([, v]) => v).map(([k, v]) => [h('dt', {}, k), h('dd', {}, v)]));
}

export function save(name, blob) {
  const url = URL.createObjectURL(blob);
  const a = h('a', { href: url, download: name });
  document.body.append(a);
  a.click();
  a.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

const drawings = {
  nib: ['M16 2.5 25 16l-6.2 9.5h-5.6L7 16z', 'M16 2.5V15', 'M16 15a2 2 0 1 0 .01 0', 'M11.5 29.5h9'],
  smartcard: ['M3.5 7.5h25v17h-25z', 'M7 12.5h7v6H7z', 'M7 15.5h7M10.5 12.5v6', 'M18 20.5h7'],
  usb_token: ['M4 12.5h17v8H4z', 'M21 14h7v5h-7z', 'M24 15.7v1.6', 'M8 16.5h.01'],
  file: ['M8 3.5h11l5 5v20H8z', 'M19 3.5v5h5', 'M13 19.5h6v5h-6z', 'M14.2 19.5v-2a1.8 1.8 0 0 1 3.6 0v2'],
};
drawings.software = drawings.tpm = drawings.smartcard;

export function icon(name) {
  const ns = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(ns, 'svg');
  for (const [k, v] of Object.entries({ viewBox: '0 0 32 32', fill: 'none', stroke: 'currentColor', 'stroke-width': '1.8', 'stroke-linejoin': 'round', 'stroke-linecap': 'round', 'aria-hidden': 'true' })) svg.setAttribute(k, v);
  for (const d of drawings[name] ?? drawings.file) {
    const p = document.createElementNS(ns, 'path');
    p.setAttribute('d', d);
    svg.append(p);
  }
  return svg;
}
