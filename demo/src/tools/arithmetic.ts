/** Sums as people write them, worked out without running anything. */

/** Brackets nested deeper than this are refused: each is a call of its own. */
const DEEPEST = 50;

type Operator = '+' | '-' | '*' | '/' | '%' | '^';

const APPLY: Record<Operator, (left: number, right: number) => number> = {
  '+': (left, right) => left + right,
  '-': (left, right) => left - right,
  '*': (left, right) => left * right,
  '/': (left, right) => left / right,
  '%': (left, right) => left % right,
  '^': (left, right) => left ** right,
};
const RANK: Record<Operator, number> = { '+': 1, '-': 1, '*': 2, '/': 2, '%': 2, '^': 4 };
/** A sign binds tighter than a product and looser than a power: -2^2 is -4. */
const SIGN_RANK = 3;

/**
 * The value of a sum of numbers, brackets and the operators + - * / % ^, to twelve digits.
 *
 * @throws Error that says where it cannot be read
 */
export function calculate(expression: string): number {
  const tokens = expression
    .replaceAll('×', '*')
    .replaceAll('÷', '/')
    .replaceAll('−', '-')
    .match(/\d+\.?\d*(?:e[+-]?\d+)?|\.\d+|\S/gi);
  const value = new Reader(tokens ?? []).whole();
  if (!Number.isFinite(value)) throw new Error(`${expression} has no value`);
  return Number(value.toPrecision(12));
}

class Reader {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  whole(): number {
    const value = this.#sum(0, 0);
    if (this.#at < this.#tokens.length) throw this.#unexpected();
    return value;
  }

  /** As far as operators of at least this rank go. */
  #sum(rank: number, depth: number): number {
    let left = this.#operand(depth);
    for (;;) {
      const operator = this.#tokens[this.#at];
      if (!isOperator(operator) || RANK[operator] < rank) return left;
      this.#at += 1;
      // Powers are taken from the right: 2^3^2 is 2^9.
      const right = this.#sum(operator === '^' ? RANK[operator] : RANK[operator] + 1, depth + 1);
      left = APPLY[operator](left, right);
    }
  }

  #operand(depth: number): number {
    if (depth > DEEPEST) throw new Error('the expression is nested too deeply');
    const token = this.#tokens[this.#at] ?? '';
    if (token === '+' || token === '-') {
      this.#at += 1;
      const value = this.#sum(SIGN_RANK, depth + 1);
      return token === '-' ? -value : value;
    }
    if (token === '(') {
      this.#at += 1;
      const value = this.#sum(0, depth + 1);
      if (this.#tokens[this.#at] !== ')') throw this.#unexpected();
      this.#at += 1;
      return value;
    }
    if (!/^[.\d]/.test(token) || token === '.') throw this.#unexpected();
    this.#at += 1;
    return Number(token);
  }

  #unexpected(): Error {
    const token = this.#tokens[this.#at];
    return new Error(token === undefined ? 'the expression ends too early' : `"${token}" was not expected`);
  }
}

function isOperator(token: string | undefined): token is Operator {
  return token !== undefined && Object.hasOwn(APPLY, token);
}
