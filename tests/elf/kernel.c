/*
 * A kernel of a few lines in the shapes of those that students write: processes in one array, their page
 * tables by pointers, its own memory mapped where it is. It fills the array and the tables, enters
 * supervisor mode and spins. Built for Sv39, and with -march=rv32ima for Sv32.
 */
typedef unsigned long word;
typedef word *pagetable_t;

enum procstate { UNUSED, USED, SLEEPING, RUNNABLE, RUNNING, ZOMBIE };

struct spinlock {
	unsigned locked;
	const char *name;
};

struct proc {
	struct spinlock lock;
	enum procstate state;
	void *chan;
	int xstate;
	int pid;
	struct proc *parent;
	word sz;
	pagetable_t pagetable;
	char name[16];
};

#ifdef NESTED
struct {
	struct spinlock lock;
	struct proc proc[8];
} ptable;
#define PROC ptable.proc
#else
struct proc proc[8];
#define PROC proc
#endif

/* Another array of structs, which is none of processes. */
struct buffer {
	int pid;
	char data[32];
} buffers[4];

#define PAGE 4096
#define ENTRIES (PAGE / sizeof(word))
#define LEVELS (sizeof(word) == 8 ? 3 : 2)
#define INDEX_BITS (sizeof(word) == 8 ? 9 : 10)
enum { V = 1, R = 2, W = 4, X = 8, U = 16, A = 64, D = 128 };

pagetable_t kernel_pagetable;
static word tables[16][ENTRIES] __attribute__((aligned(PAGE)));
static unsigned taken;
char init_code[PAGE] __attribute__((aligned(PAGE)));
char init_data[PAGE] __attribute__((aligned(PAGE)));
char sh_code[PAGE] __attribute__((aligned(PAGE)));
char stack[PAGE] __attribute__((aligned(16)));

static unsigned index_of(word va, int level)
{
	return va >> (12 + INDEX_BITS * level) & (ENTRIES - 1);
}

static void map(pagetable_t table, word va, word pa, int leaf, word bits)
{
	for (int level = LEVELS - 1; level > leaf; level--) {
		word *entry = &table[index_of(va, level)];

		if (!*entry)
			*entry = (word)tables[taken++] >> 2 | V;
		table = (pagetable_t)(*entry >> 10 << 12);
	}
	table[index_of(va, leaf)] = pa >> 2 | V | A | D | bits;
}

static struct proc *add(int slot, int pid, enum procstate state, const char *name)
{
	struct proc *p = &PROC[slot];

	p->pid = pid;
	for (int i = 0; name[i]; i++)
		p->name[i] = name[i];
	p->pagetable = (pagetable_t)tables[taken++];
	p->sz = 3 * PAGE;
	p->state = state;
	return p;
}

static void supervise(void)
{
	for (;;)
		;
}

void begin(void)
{
	struct proc *init = add(0, 1, SLEEPING, "init"), *sh = add(2, 2, RUNNING, "sh");

	map(init->pagetable, 0, (word)init_code, 0, R | X | U);
	map(init->pagetable, PAGE, (word)init_data, 0, R | W | U);
	map(init->pagetable, 2 * PAGE, (word)init_data, 0, R | W);
	map(sh->pagetable, 0, (word)sh_code, 0, R | X | U);
	add(3, 4, RUNNABLE, "twin");
	add(4, 5, RUNNABLE, "twin");
	add(5, 6, ZOMBIE, "\033[31mred")->pagetable = 0;
	add(6, 7, SLEEPING, "sixteen-letters!");

	kernel_pagetable = (pagetable_t)tables[taken++];
	map(kernel_pagetable, 0x80000000UL, 0x80000000UL, LEVELS - 1, R | W | X);
	buffers[0].pid = 77;

	asm volatile("csrw pmpaddr0, %0\n\tcsrw pmpcfg0, %1" : : "r"(~0UL), "r"(0x1fUL));
	asm volatile("csrc mstatus, %0\n\tcsrs mstatus, %1" : : "r"(3UL << 11), "r"(1UL << 11));
	asm volatile("csrw mepc, %0" : : "r"(supervise));
	asm volatile("csrw satp, %0\n\tsfence.vma" : : "r"(
		(word)kernel_pagetable >> 12 | (sizeof(word) == 8 ? 8UL << (8 * sizeof(word) - 4)
								   : 1UL << 31)));
	asm volatile("mret");
}

asm(".section .text.start\n.globl _start\n_start:\n\tla sp, stack + 4096\n\tj begin\n.text\n");
