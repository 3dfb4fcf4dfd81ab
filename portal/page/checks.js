// Check digits, as the back end checks them again.

const sum = (digits, weights) => weights.reduce((s, w, i) => s + w * Number(digits[i]), 0);

export const digits = (s) => s.replace(/[\s\-()\u00a0]/g, '');

// inn: twelve digits of a person.
export function inn(s) {
  s = digits(s);
  if (!/^\d{12}$/.test(s) || /^0+$/.test(s)) return false;
  const a = sum(s, [7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10;
  const b = sum(s, [3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10;
  return a === Number(s[10]) && b === Number(s[11]);
}

// snils: nine digits and two check digits.
export function snils(s) {
  s = digits(s);
  if (!/^\d{11}$/.test(s) || /^0+$/.test(s)) return false;
  const n = sum(s, [9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101;
  return (n === 100 ? 0 : n) === Number(s.slice(9));
}

export const phone = (s) => /^\+\d{11,15}$/.test(digits(s));

export const email = (s) => s.length <= 128 && /^[^\s@<>(),;:"[\]\\]+@[^\s@.]+(\.[^\s@.]+)+$/.test(s.trim());
