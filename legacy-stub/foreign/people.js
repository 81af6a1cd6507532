import { setTimeout as pause } from 'node:timers/promises';

import { SESSION_COOKIE } from './directory.js';
import { Client } from './client.js';
import { Session, verified } from './session.js';

/** People of each kind, at full size. */
export const PEOPLE = { browser: 10, keeper: 8, machine: 4, stranger: 2, late: 2, frugal: 1 };

const TOKENS_KEPT = 2_000;
const LATE_MS = [3_000, 25_000];
const RESERVED_KEYS = 80;

/** One person, who takes a turn again and again until `town.isOver`. */
export class Person {
  turns = 0;

  constructor(town, kind, random) {
    Object.assign(this, { town, kind, random, book: town.book, tokens: town.tokens });
    this.client = this.#somebody();
  }

  async live() {
    while (!this.town.isOver) {
      if (this.session?.isCut) this.session = null;
      await this[this.kind]();
      this.turns += 1;
      if (this.tokens.length > TOKENS_KEPT) this.tokens.splice(0, TOKENS_KEPT / 2);
      do await pause(60 + this.random.below(80));
      while (this.town.isResting && !this.town.isOver);
    }
  }

  /** Signs in, does a few things, signs out, and comes back as somebody else. */
  async browser() {
    if (!this.session) {
      this.client = this.#somebody();
      this.steps = 6 + this.random.below(30);
      return this.#begin();
    }
    this.steps -= 1;
    if (this.steps > 0) return this.#step();
    const { session } = this;
    this.session = null;
    return session.end();
  }

  /** Signed in before anything is moved, and never signs out. */
  async keeper() {
    return this.session ? this.#step() : this.#begin();
  }

  async machine() {
    const of = (isWanted) => this.random.pick(this.town.keys.slice(RESERVED_KEYS).filter(isWanted));
    const entry = this.random.chance(0.03) ? of((key) => key.suspended) : of((key) => !key.suspended);
    const method = this.random.pick(['GET', 'GET', 'POST']);
    const isScopeMissing = method === 'POST' && !entry.scopes.includes('write');
    const promised = entry.revoked ? 401 : entry.suspended || isScopeMissing ? 403 : 204;
    const kind = entry.suspended ? 'key of the suspended' : 'key';
    return this.#key(this.#somebody(), kind, entry.key, promised, method);
  }

  async stranger() {
    const client = this.#somebody();
    const { random, book } = this;
    const user = random.pick(this.town.users);
    const refused = async (kind, promised, method, path, options) => {
      const { status, json } = await client.ask(method, path, options);
      book.check(kind, json.reason ? `${status} ${json.reason}` : status, promised, user.id);
    };
    const signIn = (password) => ({ json: { email: user.email, password } });
    const cookie = { headers: { cookie: `${SESSION_COOKIE}=${random.text(24)}` } };
    const forged = () => `${this.tokens.at(-1)?.text.slice(0, -4) ?? random.text(40)}${random.text(4)}`;
    switch (random.below(6)) {
      case 0: return refused('no credential', 401, 'GET', '/v2/gate');
      case 1: return refused('made-up cookie', 401, 'GET', '/v2/gate', cookie);
      case 2: return this.#key(client, 'made-up key', `hk_live_${random.text(24)}`, 401, 'GET');
      case 3: return refused('forged token', '200 invalid', 'POST', '/v2/session/verify', { json: { token: forged() } });
      case 4: return refused('wrong password', 401, 'POST', '/v2/session', signIn(random.text(12)));
      default: return user.suspended ? refused('suspended', 423, 'POST', '/v2/session', signIn(user.password)) : undefined;
    }
  }

  /** Tokens that ended a while ago, and tokens at the very moment at which they end. */
  async late() {
    const now = Date.now();
    const ended = this.tokens.filter(({ endMs }) => endMs + LATE_MS[0] < now && now < endMs + LATE_MS[1]);
    if (ended.length > 0) await verified(this, this.random.pick(ended), 'ended token');
    const ending = this.tokens.findLast(({ endMs }) => now < endMs - 10 && endMs < now + 500);
    if (!ending) return;
    await pause(ending.endMs - 8 - Date.now());
    const asked = [];
    for (let times = 0; times < 8; times += 1) {
      asked.push(verified(this, ending, 'ending token'));
      await pause(2);
    }
    await Promise.all(asked);
  }

  /** Uses a key exactly as often as its limit allows. */
  async frugal() {
    const reserved = this.town.keys.slice(0, RESERVED_KEYS).filter((key) => !key.revoked && !key.suspended);
    const entry = reserved[this.turns];
    if (!entry) return pause(500);
    for (let times = 0; times < this.town.callsPerMinute && !this.town.isOver; times += 1) {
      await this.#key(this.client, 'key within its limit', entry.key, 204, 'GET');
      while (this.town.isResting && !this.town.isOver) await pause(20);
    }
    return pause(1_000);
  }

  async #begin() {
    const session = new Session(this, this.random.pick(this.town.users.filter((user) => !user.suspended)));
    if (await session.begin()) this.session = session;
  }

  #step() {
    const { session } = this;
    const steps = ['gate', 'gate', 'gate', 'gate', 'verify', 'verify', 'refresh', 'race', 'refreshBesideGate', 'reuse'];
    return session[this.random.pick(steps)]();
  }

  async #key(client, kind, key, promised, method) {
    const { status } = await client.ask('GET', '/v2/gate', { headers: { 'x-api-key': key, 'x-original-method': method } });
    this.book.check(kind, status, promised, method);
  }

  #somebody() {
    const { town, random } = this;
    const address = `10.${random.below(200)}.${random.below(250)}.${1 + random.below(250)}`;
    return new Client(town.target, town.book, town.agent, address);
  }
}
