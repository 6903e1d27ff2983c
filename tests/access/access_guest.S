/*
 * A guest that performs accesses and writes down what came of each. QEMU loads it as a multiboot
 * kernel; page tables, registers and cases are laid into memory beside it (see _access_guest.ts).
 * Built with -DLONG for 4-level and 5-level paging, without it for 32-bit paging and PAE.
 */
#define PARAMETERS  0x200000
#define CASES       0x1000000

/* One case: 64 bytes. */
#define C_ADDRESS 0
#define C_CR0     8
#define C_CR4     12
#define C_EFER    16
#define C_PKRU    20
#define C_KIND    24
#define C_PKRS    28
#define C_RESULT  32
#define C_VECTOR  36
#define C_ERROR   40
#define C_CR2     48
#define CASE_BYTES 64

#define KIND_USER  1
#define KIND_WRITE 2
#define KIND_FETCH 4
#define KIND_AC    8

#define RESULT_OK    1
#define RESULT_FAULT 2

#define CODE0 0x08
#define DATA0 0x10
#define CODE3 0x1b
#define DATA3 0x23
#define TASK  0x28

#define MSR_EFER 0xc0000080
#define MSR_PKRS 0x6e1
#define EFLAGS_AC 0x40000
#define CR4_PKE 0x400000
#define CR4_PKS 0x1000000

#ifdef LONG
#define AX %rax
#define BX %rbx
#define CX %rcx
#define DI %rdi
#define SP %rsp
#define WORD 8
#define RETURN iretq
#define PUSHF pushfq
#define POPF popfq
#else
#define AX %eax
#define BX %ebx
#define CX %ecx
#define DI %edi
#define SP %esp
#define WORD 4
#define RETURN iretl
#define PUSHF pushfl
#define POPF popfl
#endif

	.section .text
	.code32
	.long 0x1badb002, 0, -0x1badb002
	.globl _start
_start:
	cli
	movl $stack_top, %esp
	lgdt gdt_pointer
	movl $task, %eax
	movw %ax, gdt + TASK + 2
	shrl $16, %eax
	movb %al, gdt + TASK + 4
	movb %ah, gdt + TASK + 7
	movl PARAMETERS, %eax
	movl %eax, %cr4
	movl PARAMETERS + 4, %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	movl PARAMETERS + 8, %eax
	xorl %edx, %edx
	wrmsr
	movl PARAMETERS + 12, %eax
	movl %eax, %cr0
	ljmp $CODE0, $paging_on

#ifdef LONG
	.code64
#endif
	/* A gate: \vector leads to \handler, callable from privilege level \dpl. */
	.macro gate vector, handler, dpl
	movl $\handler, %eax
#ifdef LONG
	movl $idt + 16 * \vector, %ebx
	movl $0, 8(BX)
	movl $0, 12(BX)
#else
	movl $idt + 8 * \vector, %ebx
#endif
	movw %ax, 0(BX)
	shrl $16, %eax
	movw %ax, 6(BX)
	movw $CODE0, 2(BX)
	movw $(0x8e00 | \dpl << 13), 4(BX)
	.endm

paging_on:
	movl $DATA3, %eax
	movw %ax, %ds
	movw %ax, %es
	movl $DATA0, %eax
	movw %ax, %ss
	gate 6, on_invalid_opcode, 0
	gate 8, on_double_fault, 0
	gate 12, on_stack_fault, 0
	gate 13, on_general_protection, 0
	gate 14, on_page_fault, 0
	gate 0x80, on_return_from_user, 3
	movl $idt_pointer, %eax
	lidt (AX)
	movl $TASK, %eax
	ltr %ax
	movl $CASES, %ebx

next_case:
	movl $stack_top, %esp
	movl $CASES, %eax
	movl PARAMETERS + 16, %ecx
	shll $6, %ecx
	addl %ecx, %eax
	cmpl %eax, %ebx
	je finished
	movl $MSR_EFER, %ecx
	movl C_EFER(BX), %eax
	xorl %edx, %edx
	wrmsr
	movl C_CR4(BX), %eax
	mov AX, %cr4
	movl C_CR0(BX), %eax
	mov AX, %cr0
	testl $CR4_PKE, C_CR4(BX)
	jz 1f
	movl C_PKRU(BX), %eax
	xorl %ecx, %ecx
	xorl %edx, %edx
	wrpkru
1:	testl $CR4_PKS, C_CR4(BX)
	jz 1f
	movl $MSR_PKRS, %ecx
	movl C_PKRS(BX), %eax
	xorl %edx, %edx
	wrmsr
1:	mov %cr3, AX
	mov AX, %cr3
	mov C_ADDRESS(BX), DI
	movl C_KIND(BX), %edx
	movl $2, %ecx
	testl $KIND_AC, %edx
	jz 1f
	orl $EFLAGS_AC, %ecx
1:	testl $KIND_USER, %edx
	jnz as_user
	push CX
	POPF
	testl $KIND_WRITE, %edx
	jnz 2f
	testl $KIND_FETCH, %edx
	jnz 3f
	movb (DI), %al
	jmp went_through
2:	movb $0xc3, (DI)
	jmp went_through
3:	call *DI
	jmp went_through

as_user:
	push $DATA3
	movl $user_stack_top, %eax
	push AX
	push CX
	push $CODE3
	movl $user_code, %eax
	push AX
	RETURN

on_return_from_user:
went_through:
	movl $2, %ecx
	push CX
	POPF
	movl $RESULT_OK, C_RESULT(BX)
	jmp done

	/* The word on top of the stack is the error code. */
	.macro fault name, vector
\name:
	movl $\vector, C_VECTOR(BX)
	pop AX
	movl %eax, C_ERROR(BX)
	jmp faulted
	.endm
	fault on_double_fault, 8
	fault on_stack_fault, 12
	fault on_general_protection, 13
	fault on_page_fault, 14
on_invalid_opcode:
	movl $6, C_VECTOR(BX)
faulted:
	movl $stack_top, %esp
	movl $2, %ecx
	push CX
	POPF
	mov %cr2, AX
	mov AX, C_CR2(BX)
	movl $RESULT_FAULT, C_RESULT(BX)
done:
	addl $CASE_BYTES, %ebx
	jmp next_case

finished:
	movb $'D', %al
	outb %al, $0xe9
1:	hlt
	jmp 1b

	/* User mode may read and run this page, and nothing else of the program. */
	.section .user, "ax"
user_code:
	testl $KIND_WRITE, %edx
	jnz 2f
	testl $KIND_FETCH, %edx
	jnz 3f
	movb (DI), %al
	int $0x80
2:	movb $0xc3, (DI)
	int $0x80
3:	call *DI
	int $0x80

	.section .ustack, "aw"
	.skip 4096
user_stack_top:

	.section .kernel, "aw"
	.balign 8
gdt:
	.quad 0
#ifdef LONG
	.quad 0x00af9a000000ffff, 0x00cf92000000ffff, 0x00affa000000ffff, 0x00cff2000000ffff
#else
	.quad 0x00cf9a000000ffff, 0x00cf92000000ffff, 0x00cffa000000ffff, 0x00cff2000000ffff
#endif
	.quad 0x0000890000000067, 0
gdt_end:
gdt_pointer:
	.word gdt_end - gdt - 1
	.long gdt, 0
	.balign 8
task:
#ifdef LONG
	.long 0
	.long stack_top, 0
	.skip 92
#else
	.long 0, stack_top, DATA0
	.skip 92
#endif
	.balign 16
idt:
	.skip 16 * 0x81
idt_end:
idt_pointer:
	.word idt_end - idt - 1
	.long idt, 0
	.balign 16
	.skip 4096
stack_top:
