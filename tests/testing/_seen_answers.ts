/**
 * Commands and what QEMU 7.2.22 with 4 GiB answered to them, typed in this order. The live test types
 * those that do not depend on the machine's state into the QEMU of the day.
 */
export const SEEN: [command: string, answer: string][] = [
  ["xp 0xfffffff0", "00000000fffffff0: 0x00e05bea\n"],
  ["xp /4hx 0xfffffff0", "00000000fffffff0: 0x5bea 0x00e0 0x30f0 0x2f36\n"],
  ["xp /4bu 0xfffffff0", "00000000fffffff0: 234  91 224   0\n"],
  ["xp 0x1001", "0000000000001001:   0\n"],
  [
    "xp /5wx 0xfffffff0",
    "00000000fffffff0: 0x00e05bea 0x2f3630f0 0x392f3332 0x00fc0039\n" +
    "0000000100000000: 0x00000000\n",
  ],
  ["xp /3wo 0xfffffff0", "00000000fffffff0:   070055752 05715430360 07113631462\n"],
  ["print 1+2", "03\n"],
  ["xp /2gd 0xfffffff0", "00000000fffffff0:  3401960375889976298    70931939903615794\n"],
  ["xp /6bc 0xfffffff0", "00000000fffffff0: '\\xea' '[' '\\xe0' '\\x00' '\\xf0' '0'\n"],
  ["print 65", "'A'\n"],
  ["print /x 255", "0xff\n"],
  ["print -1", "0xffffffffffffffff\n"],
  ["print /d -1", "-1\n"],
  ["print /u -1", "18446744073709551615\n"],
  ["print /o 8", "010\n"],
  ["print /x 0", "0\n"],
  ["print ~0", "0xffffffffffffffff\n"],
  ["print 0x10*2+(3)", "0x23\n"],
  ["print 5 & 3 | 8", "0x9\n"],
  ["print 010", "0x8\n"],
  ["print 'a'", "0x61\n"],
  ["print (1", "')' expected\nTry \"help print\" for more information\n"],
  ["print 5/0", 'division by zero\nTry "help print" for more information\n'],
  [
    "p 1 2",
    "print|p: extraneous characters at the end of line\n" +
    'Try "help p" for more information\n',
  ],
  ["print !0", "invalid char '!' in expression\nTry \"help print\" for more information\n"],
  ["xp 0xfffffffffffffffff", 'number too large\nTry "help xp" for more information\n'],
  ["xp 0x", 'xp: extraneous characters at the end of line\nTry "help xp" for more information\n'],
  ["xp /z 0", "invalid char in format: 'z'\nTry \"help xp\" for more information\n"],
  ["xp/0x200gx 0", "invalid char in format: '2'\nTry \"help xp\" for more information\n"],
  [
    "xp 0x1000 0x10",
    "xp: extraneous characters at the end of line\n" +
    'Try "help xp" for more information\n',
  ],
  ["xp /0gx 0", ""],
  ["xp /9999999999gx 0xd0000000", ""],
  ["xp /1gx -16", "fffffffffffffff0: Cannot access memory\n"],
  [
    "xp /4gx 0x13ffffff0",
    "000000013ffffff0: 0x0000000000000000 0x0000000000000000\n" +
    "0000000140000000: Cannot access memory\n",
  ],
  ["gva2gpa", 'unexpected end of expression\nTry "help gva2gpa" for more information\n'],
  ["gpa2hva 0xfed00000", "Memory at address 0xfed00000 is not RAM\n"],
  ["gpa2hva 0xd0000000", "No memory is mapped at address 0xd0000000\n"],
  [
    "info tlb 5",
    "tlb: extraneous characters at the end of line\n" +
    'Try "help info tlb" for more information\n',
  ],
  [
    "info registers foo",
    "invalid char 'f' in expression\n" +
    'Try "help info registers" for more information\n',
  ],
  [
    "info registers 1 2",
    "registers: extraneous characters at the end of line\n" +
    'Try "help info registers" for more information\n',
  ],
  [
    "info registers -",
    "registers: unsupported option -" +
    'Try "help info registers" for more information\n',
  ],
  [
    "info status -x",
    "status: extraneous characters at the end of line\n" +
    'Try "help info status" for more information\n',
  ],
  [
    "info mtree -z",
    "mtree: unsupported option -z\n" +
    'Try "help info mtree" for more information\n',
  ],
  ['info "cpus"', "unknown command: 'info \"cpus\"'\n"],
  ["info pg", "unknown command: 'info pg'\n"],
  ["infox", "unknown command: 'infox'\n"],
  ["INFO cpus", "unknown command: 'INFO'\n"],
  ["#comment", "unknown command: '#comment'\n"],
  [
    "stop 1",
    "stop|s: extraneous characters at the end of line\n" +
    'Try "help stop" for more information\n',
  ],
  ["cpu x", "invalid char 'x' in expression\nTry \"help cpu\" for more information\n"],
  [
    "cpu -1",
    "'cpu' has failed: integer is for 32-bit values\n" +
    'Try "help cpu" for more information\n',
  ],
  ["cpu 0x1", ""],
  ["help cont", "cont|c  -- resume emulation\n"],
  ["help foo", "unknown command: 'foo'\n"],
  ["help info cpus", "info cpus  -- show infos for each CPU\n"],
  ["? cpu", "cpu index -- set the default CPU\n"],
  ["  info status", "VM status: running\n"],
  ["s", ""],
  ["info status", "VM status: paused\n"],
  ["c", ""],
  ["info status", "VM status: running\n"],
];
