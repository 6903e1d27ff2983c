import { formatAddress, parseAddress } from "../core/address.ts";
import { describeSession } from "./describe_session.ts";
import { ConnectionLostError } from "../monitor/errors.ts";
import type { Session } from "../session/session.ts";
import { checkTableChoice, type TableChoice } from "../session/table_choice.ts";

/** Connects to a guest; without an endpoint, to the one that the link was made for. */
export type OpenSession = (endpoint?: string | number) => Promise<Session>;

/** What a link tells its owner, to be shown to the user. */
export interface GuestLinkOptions {
  /** Connects, the first time or again. */
  readonly open: OpenSession;
  /** A session that is open already. */
  readonly session?: Session;
  /** Told in a sentence when a connection was lost or made again. */
  readonly onNotice?: (text: string) => void;
}

/**
 * A prompt's hold on a guest. The connection may be lost and come back: variables and the choice of
 * page table stay, and the next use connects again.
 */
export class GuestLink implements AsyncDisposable {
  readonly #open: OpenSession;
  readonly #onNotice: (text: string) => void;
  #session: Session | null;
  #isLost = false;
  #opening: Promise<Session> | null = null;
  #choice: TableChoice = {};

  /** Makes a link; nothing is connected yet unless a session is given. */
  constructor(options: GuestLinkOptions) {
    this.#open = options.open;
    this.#session = options.session ?? null;
    this.#onNotice = options.onNotice ?? (() => {});
  }

  /** True if there was a connection and there is none now. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** True before the first connection. */
  get isNew(): boolean {
    return this.#session === null && !this.#isLost;
  }

  /** The session at hand, without connecting. */
  get current(): Session | null {
    return this.#session;
  }

  /** Whose page tables are walked. */
  get choice(): TableChoice {
    return this.#choice;
  }

  /** Whose page tables are walked, as the prompt shows it. */
  get choiceLabel(): string {
    const { cpu, root, pid, comm, device } = this.#choice;
    if (device !== undefined) return device;
    if (root !== undefined) return formatAddress(parseAddress(root));
    return comm ?? (pid === undefined ? `cpu${cpu ?? 0}` : `pid${pid}`);
  }

  /** Chooses whose page tables are walked from now on. */
  choose(choice: TableChoice): void {
    checkTableChoice(choice);
    this.#choice = choice;
  }

  /** Returns the session, connecting if there is none. */
  async session(): Promise<Session> {
    if (this.#session) return this.#session;
    this.#opening ??= this.#open().finally(() => this.#opening = null);
    this.#session = await this.#opening;
    if (this.#isLost) this.#onNotice(`Connected again to ${describeSession(this.#session)}`);
    this.#isLost = false;
    return this.#session;
  }

  /** Closes the connection at hand and connects again: to the same guest, or to another one. */
  async connect(endpoint?: string | number): Promise<Session> {
    const before = this.#session;
    this.#session = null;
    this.#isLost = this.#isLost || before !== null;
    await before?.close();
    if (endpoint === undefined) return await this.session();
    this.#session = await this.#open(endpoint);
    this.#isLost = false;
    this.#choice = {};
    return this.#session;
  }

  /**
   * Asks the guest something. If the connection turns out to be lost, it is made again and the guest
   * is asked once more; everything that is asked only reads.
   */
  async use<T>(ask: (session: Session, choice: TableChoice) => Promise<T>): Promise<T> {
    const session = await this.session();
    try {
      return await ask(session, this.#choice);
    } catch (error) {
      if (!(error instanceof ConnectionLostError)) throw error;
      this.lose(session);
      return await ask(await this.#sessionOr(error), this.#choice);
    }
  }

  /** Notes that a session's connection is gone. */
  lose(session: Session): void {
    if (this.#session !== session) return;
    this.#session = null;
    this.#isLost = true;
  }

  /** Closes the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session?.close();
    this.#session = null;
  }

  /** Connects again; if that fails, how the connection was lost is the news, not that nobody answers. */
  async #sessionOr(lost: ConnectionLostError): Promise<Session> {
    try {
      return await this.session();
    } catch {
      throw lost;
    }
  }
}
