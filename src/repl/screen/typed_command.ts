/** What a command typed as in gdb, crash or QEMU's monitor means here: code to run, or what to know. */
export type Meaning =
  | { readonly kind: "code"; readonly source: string }
  | { readonly kind: "message"; readonly text: string };

/** A command of another tool. */
interface Row {
  readonly pattern: RegExp;
  mean(match: RegExpExecArray): Meaning;
}

const code = (source: string): Meaning => ({ kind: "code", source });
const message = (text: string): Meaning => ({ kind: "message", text });
const quoted = (text: string) => JSON.stringify(text.trim());

/** The word sizes of gdb and the monitor, by letter. */
const SIZES: Readonly<Record<string, number>> = { b: 1, h: 2, w: 4, g: 8 };

const READ_ONLY = "pagewalk is read-only: it does not run or change the guest";

const ROWS: readonly Row[] = [
  { pattern: /^(?:help|h|\?|man)$/, mean: () => code("help()") },
  { pattern: /^(?:help|h|\?|man) +([\w.]+)$/, mean: ([, name]) => code(`help(${quoted(name!)})`) },
  {
    pattern: /^(?:i|info) +(?:r|reg|registers) +(?:\$)?([a-z]\w*)$/,
    mean: ([, name]) => code(`$${name}`),
  },
  { pattern: /^(?:i|info) +(?:r|reg)$/, mean: () => code('monitor("info registers")') },
  {
    pattern: /^(?:i|info) +(?:symbol|line) +(.+)$/,
    mean: ([, place]) => code(`sym(${place})`),
  },
  {
    pattern: /^(?:i|info) +(?:address|scope) +(\w+)$/,
    mean: ([, name]) => code(`sym(${quoted(name!)})`),
  },
  {
    pattern: /^(?:i|info) +(?:proc mappings|files|sharedlibrary)$/,
    mean: () => code("maps()"),
  },
  { pattern: /^(?:i|info) +(?:threads|inferiors)$/, mean: () => code("cpus()") },
  { pattern: /^info +(\S.*)$/, mean: ([line]) => code(`monitor(${quoted(line)})`) },
  {
    pattern: /^(?:x|xp) *\/ *(\d*)([a-z]*) +(\S.*)$/,
    mean: (match) => words(match[0].startsWith("xp") ? "xp" : "x", match),
  },
  { pattern: /^(x|xp) +([^\s/(=].*)$/, mean: ([, name, at]) => code(`${name}(${at}, 1, 4)`) },
  {
    pattern: /^(?:p|print|output|inspect) *\/ *[xza] +(.+)$/,
    mean: ([, value]) => code(`hex(${value})`),
  },
  {
    pattern: /^(?:p|print|output|inspect) *\/ *[du] +(.+)$/,
    mean: ([, value]) => code(`String(${value})`),
  },
  {
    pattern: /^(?:p|print|output|inspect) *\/ *t +(.+)$/,
    mean: ([, value]) => code(`"0b" + BigInt(${value}).toString(2)`),
  },
  { pattern: /^(?:p|print|output|inspect|eval) +(\S.*)$/, mean: ([, value]) => code(value!) },
  { pattern: /^(?:gva2gpa|vtop) +(\S.*)$/, mean: ([, at]) => code(`walk(${at})`) },
  { pattern: /^(gpa2hva|gpa2hpa) +(\S.*)$/, mean: ([line]) => code(`monitor(${quoted(line)})`) },
  { pattern: /^rd +(\S+)$/, mean: ([, at]) => code(`x(${at})`) },
  { pattern: /^rd +(\S+) +(\d+)$/, mean: ([, at, count]) => code(`x(${at}, ${count})`) },
  {
    pattern: /^(?:struct|union|ptype|whatis) +(?:struct +|union +)?(\w+)$/,
    mean: ([, name]) => code(`type(${quoted(name!)})`),
  },
  { pattern: /^(?:log|dmesg)$/, mean: () => code("dmesg()") },
  { pattern: /^set +(?:pid|proc(?:ess)?) +(\S+)$/, mean: ([, pid]) => code(`pid(${text(pid!)})`) },
  { pattern: /^attach +(\S+)$/, mean: ([, pid]) => code(`pid(${text(pid!)})`) },
  {
    pattern: /^(?:target|connect) +(?:remote +)?(\S+)$/,
    mean: ([, to]) => code(`connect(${quoted(to!)})`),
  },
  {
    pattern:
      /^(?:c|cont|continue|s|si|step|stepi|n|ni|next|nexti|stop|finish|until|run|r|start|kill|detach)(?: +\d+)?$/,
    mean: () => message(READ_ONLY),
  },
  {
    pattern:
      /^(?:b|br|break|tbreak|hbreak|watch|rwatch|awatch|delete|set|jump|call|signal|sendkey|system_\w+|savevm|loadvm|migrate|device_\w+|pmemsave|memsave)\b.+$/,
    mean: ([line]) =>
      line.startsWith("watch ")
        ? code(`watch(${line.slice("watch ".length)})`)
        : message(READ_ONLY),
  },
  {
    pattern: /^(?:bt|backtrace|where|disas|disassemble|list|l|up|down|frame|f)(?: .*)?$/,
    mean: () =>
      message("There are no stacks and no disassembly here: x($rsp, 16) reads the stack's words"),
  },
];

/** Reads a line that is not JavaScript as a command of gdb, crash or the monitor. */
export function typedCommand(line: string): Meaning | undefined {
  const trimmed = line.trim().replace(/^\(?(?:gdb|qemu|crash>)\)? +/, "");
  for (const { pattern, mean } of ROWS) {
    const match = pattern.exec(trimmed);
    if (match) return mean(match);
  }
  return undefined;
}

/** `x/4gx ADDRESS`: a count, then letters for size and format in any order. */
function words(name: string, [, count, letters, at]: RegExpExecArray): Meaning {
  if (letters!.includes("i")) {
    return message(`There is no disassembler here: ${name}(${at}, 16, 1) reads the bytes`);
  }
  if (letters!.includes("s") && name === "x") {
    return code(`read(${at}, ${Number(count || 1) * 64})`);
  }
  const size = [...letters!].map((letter) => SIZES[letter]).find((bytes) => bytes !== undefined);
  const bytes = size ?? (letters!.includes("a") ? 8 : letters!.includes("c") ? 1 : 4);
  return code(`${name}(${at}, ${count || 1}, ${bytes})`);
}

/** A helper called without parentheses: `walk 0x1000`, `pid target`, `read $rsp 64`. */
export function callWithoutParentheses(
  line: string,
  helpers: readonly { readonly name: string; readonly takesText?: boolean }[],
): string | undefined {
  const [, name, rest] = /^(\w+)\s+(\S.*?);?$/s.exec(line.trim()) ?? [];
  const helper = helpers.find((each) => each.name === name);
  if (!helper) return undefined;
  if (helper.takesText) return `${name}(${text(rest!)})`;
  // Words apart are arguments; `_stext + 0x40` is one.
  const given = /[,{("'`]/.test(rest!)
    ? rest!
    : rest!.replace(/(?<![-+*/&|^<>~])\s+(?![-+*/&|^<>])/g, ", ");
  return `${name}(${given})`;
}

function text(word: string): string {
  return /^(?:["'`].*["'`]|-?\d+|0x[0-9a-fA-F]+|Infinity)$/.test(word) ? word : quoted(word);
}
