#include "touch.h"

#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/sigcontext.h>
#include <asm/ucontext.h>
#include <linux/resource.h>
#include <linux/time.h>

#include "lab_module.h"
#include "system.h"
#include "text.h"

#define SA_RESTORER_FLAG 0x04000000

/* What rt_sigaction(2) takes; the C library's struct sigaction is another. */
struct kernel_sigaction {
	void (*handler)(int, siginfo_t *, struct ucontext *);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

extern void restore_signal(void);
extern char touch_faulted[];

static volatile int signal_number, signal_code;
static volatile unsigned long signal_address;

/* The access is given up: the program goes on where touch_read and touch_write answer 1. */
static void on_signal(int number, siginfo_t *info, struct ucontext *context)
{
	unsigned long *instruction =
#ifdef __x86_64__
		(unsigned long *)&context->uc_mcontext.rip;
#else
		(unsigned long *)&context->uc_mcontext.eip;
#endif
	/* An alarm that comes after the access has ended must change nothing. */
	if (*instruction < (unsigned long)touch_read || *instruction > (unsigned long)touch_faulted)
		return;
	signal_number = number;
	signal_code = info->si_code;
	signal_address = number == SIGSEGV || number == SIGBUS ? (unsigned long)info->si_addr : 0;
	*instruction = (unsigned long)touch_faulted;
}

static void catch(int number)
{
	struct kernel_sigaction action = {
		.handler = on_signal,
		.flags = SA_SIGINFO | SA_RESTORER_FLAG,
		.restorer = restore_signal,
	};

	system_call(__NR_rt_sigaction, number, (long)&action, 0, sizeof(action.mask), 0, 0);
}

static unsigned long minor_faults(void)
{
	struct rusage usage;

	CALL2(__NR_getrusage, RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

void touch(int write, unsigned long address)
{
	/* A write to a page without _PAGE_USER faults for ever: the kernel takes each fault for one
	 * that was already settled. The alarm ends it, since it is delivered between two faults. */
	struct itimerval alarm = { .it_value = { .tv_sec = 0, .tv_usec = 500000 } };
	struct itimerval none = { 0 };
	unsigned long faults;
	int refused;

	catch(SIGSEGV);
	catch(SIGBUS);
	catch(SIGALRM);
	signal_number = 0;
	faults = minor_faults();
	CALL3(__NR_setitimer, ITIMER_REAL, &alarm, 0);
	refused = write ? touch_write((void *)address) : touch_read((void *)address);
	CALL3(__NR_setitimer, ITIMER_REAL, &none, 0);
	faults = minor_faults() - faults;
	if (!refused)
		say("TOUCH vaddr=0x%x result=done faults=%u", (uint64_t)address, faults);
	else if (signal_number == SIGALRM)
		say("TOUCH vaddr=0x%x result=endless faults=%u", (uint64_t)address, faults);
	else
		say("TOUCH vaddr=0x%x result=signal signal=%u code=%u address=0x%x faults=%u",
		    (uint64_t)address, (unsigned long)signal_number, (unsigned long)signal_code,
		    (uint64_t)signal_address, faults);
}
