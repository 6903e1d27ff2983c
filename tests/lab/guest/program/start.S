/*
 * The program's first and last instructions, its system calls and its dangerous memory accesses,
 * for x86-64 and i386. There is no C library: the same sources build for both with any gcc.
 */
#include <asm/unistd.h>

	.section .note.GNU-stack, "", @progbits
	.text
	.globl _start, system_call, restore_signal, touch_read, touch_write, touch_faulted

#ifdef __x86_64__

_start:
	xor %ebp, %ebp
	mov (%rsp), %rdi		/* argc */
	lea 8(%rsp), %rsi		/* argv */
	and $-16, %rsp
	call run
	mov %eax, %edi
	mov $__NR_exit_group, %eax
	syscall

/* long system_call(long number, long a, long b, long c, long d, long e, long f) */
system_call:
	mov %rdi, %rax
	mov %rsi, %rdi
	mov %rdx, %rsi
	mov %rcx, %rdx
	mov %r8, %r10
	mov %r9, %r8
	mov 8(%rsp), %r9
	syscall
	ret

restore_signal:
	mov $__NR_rt_sigreturn, %eax
	syscall

/* int touch_read(void *), int touch_write(void *): 0 when the access went through. Neither uses the
 * stack, so a signal handler may send the program to touch_faulted, which answers 1 instead. */
touch_read:
	mov (%rdi), %al
	xor %eax, %eax
	ret
touch_write:
	movb $0x5a, (%rdi)
	xor %eax, %eax
	ret

#else

_start:
	xor %ebp, %ebp
	mov (%esp), %eax
	lea 4(%esp), %ecx
	and $-16, %esp
	sub $8, %esp
	push %ecx
	push %eax
	call run
	mov %eax, %ebx
	mov $__NR_exit_group, %eax
	int $0x80

system_call:
	push %ebx
	push %esi
	push %edi
	push %ebp
	mov 20(%esp), %eax
	mov 24(%esp), %ebx
	mov 28(%esp), %ecx
	mov 32(%esp), %edx
	mov 36(%esp), %esi
	mov 40(%esp), %edi
	mov 44(%esp), %ebp
	int $0x80
	pop %ebp
	pop %edi
	pop %esi
	pop %ebx
	ret

restore_signal:
	mov $__NR_rt_sigreturn, %eax
	int $0x80

touch_read:
	mov 4(%esp), %eax
	mov (%eax), %al
	xor %eax, %eax
	ret
touch_write:
	mov 4(%esp), %eax
	movb $0x5a, (%eax)
	xor %eax, %eax
	ret

#endif

touch_faulted:
	mov $1, %eax
	ret
