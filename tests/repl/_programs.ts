/** A random source of programs: the same seed makes the same program. */
export class Programs {
  #state: number;
  #names: string[] = [];
  #depth = 0;
  #made = 0;

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1;
  }

  /** A program that prints what it does, a statement a line, with semicolons or without. */
  next(semicolons: boolean): string {
    this.#names = [];
    this.#made = 0;
    const text = this.#statements(3 + this.#below(6), 0);
    const bare = semicolons ? text : text.replaceAll(/§(?=[ ]*(?:\/\/.*)?(?:\n|$))/g, "");
    return bare.replaceAll("§", ";");
  }

  #below(limit: number): number {
    // xorshift32
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }

  #pick<T>(all: readonly T[]): T {
    return all[this.#below(all.length)]!;
  }

  #name(): string {
    return `v${this.#made++}`;
  }

  #known(): string {
    return this.#names.length > 0 ? this.#pick(this.#names) : String(this.#below(10));
  }

  #statements(count: number, indent: number): string {
    const scope = [...this.#names];
    const lines = Array.from({ length: count }, () => this.#statement(indent));
    // What a block declares is unknown after it.
    if (indent > 0) this.#names = scope;
    return lines.join("\n");
  }

  #statement(indent: number): string {
    const blank = " ".repeat(indent);
    const block = () => `{\n${this.#statements(1 + this.#below(3), indent + 2)}\n${blank}}`;
    const kinds: (() => string)[] = [
      () => this.#declare(this.#pick(["let", "const", "var"])),
      () => this.#declare("let"),
      () => `print(${this.#expression()}, ${this.#expression()})§`,
      () => `print(\`a \${${this.#expression()}} b\`)§`,
      () => this.#assign(),
      () => `if (${this.#expression()} > ${this.#below(20)}) ${block()} else ${block()}`,
      () =>
        `if (${this.#expression()} > ${this.#below(20)}) print("yes")§\n${blank}else print("no")§`,
      () => {
        const name = this.#name();
        return `for (let ${name} = 0; ${name} < ${this.#below(4)}; ${name}++) ${
          this.#within(name, block)
        }`;
      },
      () => {
        const name = this.#name();
        return `for (const ${name} of [${this.#expression()}, ${this.#expression()}]) ${
          this.#within(name, block)
        }`;
      },
      () => {
        const name = this.#name();
        return `let ${name} = ${1 + this.#below(3)}§\n${blank}while (${name} > 0) {\n${
          this.#statements(1, indent + 2)
        }\n${blank}  ${name}--§\n${blank}}`;
      },
      () => {
        const name = this.#name();
        return `let ${name} = 0§\n${blank}do {\n${blank}  ${name} += 1§ // one more\n${blank}} while (${name} < 2)§`;
      },
      () => this.#function(indent),
      () => `/* a comment; with\n${blank}two lines */`,
      () =>
        `switch (${this.#expression()} % 3) {\n${blank}case 0: print("zero")§ break§\n${blank}default: print("other")§\n${blank}}`,
      () => `try ${block()} catch (error) { print(error.name)§ } finally { print("finally")§ }`,
      () => this.#class(indent),
      () =>
        `[${this.#expression()}, ${this.#expression()}].forEach((x) => { print(x)§ })§`
          .replace(/^/, ";"),
    ];
    this.#depth++;
    const made = this.#depth > 4 ? kinds[this.#below(5)]!() : this.#pick(kinds)();
    this.#depth--;
    return `${blank}${made}`;
  }

  #within(name: string, block: () => string): string {
    const before = this.#names;
    this.#names = [...before, name];
    // A loop's variable is not assigned to.
    const text = block().replaceAll(new RegExp(`^(\\s*)${name} [+*-]?= .*$`, "gm"), "$1print(0)§");
    this.#names = before;
    return text;
  }

  #declare(kind: string): string {
    const name = this.#name();
    const value = this.#expression();
    if (kind !== "const") this.#names.push(name);
    return `${kind} ${name} = ${value}§`;
  }

  #assign(): string {
    const assignable = this.#names.filter((name) => /^v\d+$/.test(name));
    if (assignable.length === 0) return this.#declare("let");
    return `${this.#pick(assignable)} ${this.#pick(["=", "+=", "-="])} ${this.#expression()}§`;
  }

  #function(indent: number): string {
    const name = this.#name();
    const param = this.#name();
    const blank = " ".repeat(indent);
    const before = this.#names;
    this.#names = [...before, param];
    const value = this.#expression();
    const body = this.#statements(1, indent + 2);
    this.#names = before;
    const forms = [
      `function ${name}(${param}) {\n${body}\n${blank}  return ${value}§\n${blank}}`,
      `const ${name} = (${param}) => {\n${body}\n${blank}  return ${value}§\n${blank}}§`,
      `const ${name} = (${param}, other = ${param}) => ${value}§`,
      `const ${name} = async (${param}) => ${value}§`,
    ];
    // `await` stands at the top only.
    const form = this.#pick(indent === 0 ? forms : forms.slice(0, 3));
    const wait = form.includes("async") ? "await " : "";
    return `${form}\n${blank}print(${wait}${name}(${this.#expression()}))§`;
  }

  #class(indent: number): string {
    const name = this.#name();
    const blank = " ".repeat(indent);
    return `class C${name} {\n${blank}  #n = ${this.#below(9)}§\n${blank}  static count = 1§\n` +
      `${blank}  get n() { return this.#n§ }\n${blank}  add(x) { this.#n += x§ return this§ }\n` +
      `${blank}}\n${blank}print(new C${name}().add(${this.#expression()}).n, C${name}.count++)§`;
  }

  #expression(): string {
    this.#depth++;
    const simple = [
      () => String(this.#below(100)),
      () => this.#known(),
      () => `0x${this.#below(4096).toString(16)}`,
    ];
    const nested = [
      () =>
        `(${this.#expression()} ${
          this.#pick(["+", "-", "*", "&", "|", "^"])
        } ${this.#expression()})`,
      () => `Math.${this.#pick(["max", "min"])}(${this.#expression()}, ${this.#expression()})`,
      () =>
        `[${this.#expression()}, ${this.#expression()}].map((x) => x + ${this.#below(9)})[${
          this.#below(2)
        }]`,
      () => `[${this.#expression()}, ${this.#expression()}, 5].filter((x) => x > 4).length`,
      () => `[3, 1, ${this.#expression()}].sort((a, b) => a - b)[0]`,
      () =>
        `({ a: ${this.#expression()}, get b() { return ${this.#below(9)} } }).${
          this.#pick(["a", "b"])
        }`,
      () => `(${this.#expression()} > 7 ? ${this.#expression()} : ${this.#expression()})`,
      () => `(((x) => x * 2)(${this.#expression()}) % 1000)`,
      () => `[...new Set([1, 1, ${this.#expression()}])].length`,
      () => `(() => { let n = 0; for (const x of [1, ${this.#expression()}]) n += x; return n })()`,
      () =>
        `({ m(x) { return x?.y ?? ${this.#below(9)} } }).m(${this.#pick(["null", "{ y: 3 }"])})`,
      () => `String(${this.#expression()}).length`,
      () => `[1, 2, ${this.#expression()}].reduce((sum, x) => sum + x, 0)`,
    ];
    const made = this.#depth > 6 ? this.#pick(simple)() : this.#pick([...simple, ...nested])();
    this.#depth--;
    return made;
  }
}
