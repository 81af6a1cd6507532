/** Numbers that are the same for the same seed (SplitMix32), so that a run can be done again. */
export class Random {
  #state;

  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /** A whole number below `end`. */
  below(end) {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let bits = this.#state;
    bits = Math.imul(bits ^ (bits >>> 16), 0x21f0aaad);
    bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97);
    return Math.floor((((bits ^ (bits >>> 15)) >>> 0) / 2 ** 32) * end);
  }

  chance(share) {
    return this.below(1_000_000) < share * 1_000_000;
  }

  pick(items) {
    return items[this.below(items.length)];
  }

  text(length) {
    return Array.from({ length }, () => LETTERS[this.below(LETTERS.length)]).join('');
  }
}

const LETTERS = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789';
