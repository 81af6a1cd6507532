import { REFRESH_COOKIE, SESSION_COOKIE } from './directory.js';
import { cookiesSet } from './client.js';

const REUSED_AFTER_MS = 3_000;

/** A signed-in user. Each step knows the answer that legacy promises to whoever holds these cookies and tokens. */
export class Session {
  /** Ended by an operator, with all sessions of its side. */
  isCut = false;

  constructor({ client, book, tokens, town }, user) {
    Object.assign(this, { client, book, tokens, town, user });
    this.about = user.id;
    this.spent = [];
    this.begunAt = Date.now();
  }

  async begin() {
    const { email, password } = this.user;
    const answer = await this.client.ask('POST', '/v2/session', { json: { email, password } });
    const isIn = this.book.check('sign in', answer.status, 200, this.about);
    if (isIn) this.#take(answer);
    return isIn;
  }

  async gate(kind = 'gate') {
    const answer = await this.client.ask('GET', '/v2/gate', { headers: this.#cookie() });
    this.#check(kind, `${answer.status} ${answer.headers['x-user']}`, `204 ${this.user.id}`, '401 undefined');
  }

  /** A session may be `refused` once an operator has cut the sessions of its side. */
  #check(kind, found, wanted, refused) {
    if (found === refused && this.begunAt < this.town.cutAt) {
      this.isCut = true;
      return this.book.count('signed out by a cut');
    }
    return this.book.check(kind, found, wanted, this.about);
  }

  async refresh() {
    this.#taken([await this.#refreshed(this.refreshToken)], ['200']);
  }

  /** Two tabs wake up at the same moment, and both refresh. */
  async race() {
    const token = this.refreshToken;
    this.#taken(await Promise.all([this.#refreshed(token), this.#refreshed(token)]), ['200', '401']);
  }

  /** One tab refreshes while another asks. */
  async refreshBesideGate() {
    await Promise.all([this.refresh(), this.gate()]);
  }

  /** A refresh token that was used some time ago is presented once more. */
  async reuse() {
    const old = this.spent[0];
    if (!old || Date.now() < old.at + REUSED_AFTER_MS) return this.gate();
    this.spent.shift();
    const answer = await this.#refreshed(old.token);
    return this.book.check('reuse', answer.status, 401, this.about);
  }

  async verify() {
    await verified(this, this.token, 'verify');
  }

  /** Signs out while another tab still asks; whatever comes later is refused. */
  async end() {
    const [answer, beside] = await Promise.all([
      this.client.ask('DELETE', '/v2/session', { headers: this.#cookie() }),
      this.client.ask('GET', '/v2/gate', { headers: this.#cookie() }),
    ]);
    this.book.check('sign out', answer.status, 204, this.about);
    this.book.check('gate beside sign out', [204, 401].includes(beside.status), true, `${this.about}: ${beside.status}`);
    const after = await this.client.ask('GET', '/v2/gate', { headers: this.#cookie() });
    this.book.check('gate after sign out', after.status, 401, this.about);
    const refreshed = await this.#refreshed(this.refreshToken);
    this.book.check('refresh after sign out', refreshed.status, 401, this.about);
  }

  #cookie() {
    return { cookie: `${SESSION_COOKIE}=${this.cookie}` };
  }

  #refreshed(token) {
    const cookie = `${SESSION_COOKIE}=${this.cookie}; ${REFRESH_COOKIE}=${token}`;
    return this.client.ask('POST', '/v2/session/refresh', { headers: { cookie }, json: {} });
  }

  #taken(answers, wanted) {
    const found = answers.map((answer) => answer.status).sort().join('+');
    this.#check(wanted.length > 1 ? 'race' : 'refresh', found, wanted.join('+'), wanted.map(() => '401').join('+'));
    const won = answers.find((answer) => answer.status === 200);
    if (won) this.#take(won);
  }

  #take(answer) {
    const { [SESSION_COOKIE]: cookie = this.cookie, [REFRESH_COOKIE]: refreshToken } = cookiesSet(answer);
    if (this.refreshToken) this.spent.push({ token: this.refreshToken, at: Date.now() });
    Object.assign(this, { cookie, refreshToken });
    this.token = issued(answer.json.accessToken, this.user);
    this.tokens.push(this.token);
  }
}

/** A token with its end in milliseconds. */
function issued(text, user) {
  const { exp } = JSON.parse(Buffer.from(text.split('.')[1], 'base64url'));
  return { text, user, endMs: exp * 1000 };
}

/** Before a token's end it is good, from then on it is not; an answer that took both moments in may say either. */
export async function verified({ client, book }, { text, user, endMs }, kind) {
  const { status, json, sentAt, gotAt } = await client.ask('POST', '/v2/session/verify', { json: { token: text } });
  const found = `${status} ${json.ok ? json.subject : json.reason}`;
  const [good, over] = [`200 ${user.id}`, '200 expired'];
  if (gotAt < endMs) return book.check(kind, found, good, `${endMs - gotAt} ms before its end`);
  if (sentAt >= endMs) return book.check(kind, found, over, `${sentAt - endMs} ms after its end`);
  return book.check(`${kind} at its end`, found === good || found === over, true, found);
}
