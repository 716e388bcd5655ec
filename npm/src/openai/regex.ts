/**
 * JavaScript's regular expressions in the notation of the engine, which is that of Rust's `regex`. Most of it is the same; what
 * only looks the same (`\d` is ASCII here and Unicode there, `[` in a class is a letter here and a class there) is rewritten, and
 * what the engine cannot do, since it reads a text once and from the front, is refused by name.
 */

import { UnsupportedError } from '../errors.js';

const DIGIT = '0-9';
const WORD = '0-9A-Za-z_';
/** What `\s` matches in ECMAScript. */
const SPACE = String.raw`\t-\r \u{A0}\u{1680}\u{2000}-\u{200A}\u{2028}\u{2029}\u{202F}\u{205F}\u{3000}\u{FEFF}`;
/** Sets of characters by their escape, the capital letter meaning all others. */
const SETS: Readonly<Record<string, string>> = { d: DIGIT, w: WORD, s: SPACE };
/** Everything but ECMAScript's line terminators. */
const NO_LINE_END = String.raw`[^\n\r\u{2028}\u{2029}]`;
/** Characters that mean something in the engine's notation, inside or outside of a class. */
const META = String.raw`\.+*?()|[]{}^$#&-~`;

/**
 * The same expression for the engine, its flags in front: `/a.b/i` becomes `(?i)a[^…]b`.
 *
 * @throws UnsupportedError for lookaround, backreferences, and flags other than i, m, s and u
 */
export function toRustRegex(regex: RegExp): string {
  const unknown = [...regex.flags].find((flag) => !'imsu'.includes(flag));
  if (unknown !== undefined) {
    throw new UnsupportedError(`${regex} has the flag \`${unknown}\`; only i, m, s and u are supported.`);
  }
  const flags = [...'ims'].filter((flag) => regex.flags.includes(flag)).join('');
  return `${flags === '' ? '' : `(?${flags})`}${new Translation(regex).all()}`;
}

/** A character, the members of a set (in a class as they are, else in brackets), or what is a class by itself. */
interface Atom {
  readonly text: string;
  readonly kind: 'character' | 'members' | 'class';
}

/** One expression on its way, read from the front. All patterns in here are sticky: they match where it stands. */
class Translation {
  readonly #regex: RegExp;
  readonly #source: string;
  #at = 0;

  constructor(regex: RegExp) {
    this.#regex = regex;
    this.#source = regex.source;
  }

  all(): string {
    let text = '';
    while (this.#at < this.#source.length) text += this.#term();
    return text;
  }

  #term(): string {
    if (this.#take(/\(\?<?[=!]/y)) throw this.#unsupported('lookaround');
    if (this.#take(/\(\?[ims-]/y)) throw this.#unsupported('flags in the middle');
    if (this.#take(/\(\?<[^>]*>/y)) return '(?:';
    const boundary = this.#take(/\\[bB]/y);
    if (boundary !== undefined) return `(?-u:${boundary})`;
    const same = this.#take(/\((?:\?:)?|\{\d+(?:,\d*)?\}|[)|^$*+?]/y);
    if (same !== undefined) return same;
    if (this.#take(/\./y)) return this.#regex.dotAll ? '.' : NO_LINE_END;
    if (this.#take(/\[/y)) return this.#class();
    const { text, kind } = this.#atom();
    return kind === 'members' ? `[${text}]` : text;
  }

  #class(): string {
    const negated = this.#take(/\^/y) !== undefined;
    if (this.#take(/\]/y)) return negated ? String.raw`[\s\S]` : String.raw`[^\s\S]`;
    let members = '';
    while (!this.#take(/\]/y)) members += this.#range();
    return `[${negated ? '^' : ''}${members}]`;
  }

  #range(): string {
    const first = this.#atom();
    if (!this.#take(/-(?!\])/y)) return first.text;
    const last = this.#atom();
    const isRange = first.kind === 'character' && last.kind === 'character';
    return `${first.text}${isRange ? '-' : String.raw`\-`}${last.text}`;
  }

  #atom(): Atom {
    const set = this.#take(/\\[dwsDWS]/y)?.[1];
    if (set !== undefined) {
      const members = SETS[set.toLowerCase()] ?? '';
      return set === set.toLowerCase() ? { text: members, kind: 'members' } : { text: `[^${members}]`, kind: 'class' };
    }
    const property = this.#regex.unicode ? this.#take(/\\[pP]\{[^}]*\}/y) : undefined;
    if (property !== undefined) return { text: property, kind: 'class' };
    if (this.#take(/\\[1-9k]/y)) throw this.#unsupported('a backreference');
    return { text: this.#character(), kind: 'character' };
  }

  #character(): string {
    const code = this.#code();
    if (code !== undefined) return `\\u{${code.toString(16).toUpperCase()}}`;
    const same = this.#take(/\\[tnrfv]/y);
    if (same !== undefined) return same;
    // Behind any other backslash a character stands for itself.
    this.#take(/\\/y);
    const character = this.#take(/./suy) ?? '';
    return META.includes(character) ? `\\${character}` : character;
  }

  /** The code of a character that is written as a number. */
  #code(): number | undefined {
    const pair = this.#take(/\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}/y);
    if (pair !== undefined) return (JSON.parse(`"${pair}"`) as string).codePointAt(0);
    const braced = this.#regex.unicode ? this.#take(/\\u\{[0-9a-fA-F]+\}/y)?.slice(3, -1) : undefined;
    const digits = braced ?? this.#take(/\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}/y)?.slice(2);
    if (digits !== undefined) {
      const code = Number.parseInt(digits, 16);
      if (code >= 0xd800 && code <= 0xdfff) throw this.#unsupported('half a character');
      return code;
    }
    const control = this.#take(/\\c[a-zA-Z]/y);
    if (control !== undefined) return control.charCodeAt(2) % 32;
    if (this.#take(/\\0(?!\d)/y)) return 0;
    // Only in a class: elsewhere it is a boundary, and was taken as one.
    return this.#take(/\\b/y) ? 8 : undefined;
  }

  /** What matches here, which then is behind us. */
  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#source)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #unsupported(what: string): UnsupportedError {
    return new UnsupportedError(`${this.#regex} has ${what}, which a rule or a format cannot have.`);
  }
}
