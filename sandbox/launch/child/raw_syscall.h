// System calls without the C library: the result is the kernel's own, -errno on
// failure (syscall(2), "Architecture calling conventions").

#ifndef CORDON_SANDBOX_LAUNCH_CHILD_RAW_SYSCALL_H_
#define CORDON_SANDBOX_LAUNCH_CHILD_RAW_SYSCALL_H_

namespace cordon::sandbox {

#if defined(__x86_64__)

inline long RawSyscall(long number, long a = 0, long b = 0, long c = 0,
                       long d = 0, long e = 0) {
  long result;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
               : "rcx", "r11", "memory");
  return result;
}

#elif defined(__aarch64__)

inline long RawSyscall(long number, long a = 0, long b = 0, long c = 0,
                       long d = 0, long e = 0) {
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  register long x3 asm("x3") = d;
  register long x4 asm("x4") = e;
  asm volatile("svc 0"
               : "+r"(x0)
               : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
               : "memory");
  return x0;
}

#else
#error "RawSyscall is not written for this architecture"
#endif

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_LAUNCH_CHILD_RAW_SYSCALL_H_
