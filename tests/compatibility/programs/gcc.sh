# Compile, archive, link statically and dynamically, dlopen, run.
cat >lib.c <<'C'
int answer(void) { return 42; }
C
cat >main.c <<'C'
#include <dlfcn.h>
#include <stdio.h>
int answer(void);
int main(void) {
  void* library = dlopen("./libanswer.so", RTLD_NOW);
  int (*loaded)(void) = library ? (int (*)(void))dlsym(library, "answer") : 0;
  printf("%d %d\n", answer(), loaded ? loaded() : -1);
  return 0;
}
C
gcc -O2 -pipe -c lib.c; ar rcs libanswer.a lib.o; gcc -shared -fPIC -o libanswer.so lib.c
gcc -O2 -g -Wall -save-temps -o main main.c libanswer.a; [[ $(./main) == "42 42" ]]
gcc -static -o static main.c libanswer.a 2>/dev/null; ./static >/dev/null
gcc -O2 -flto -fopenmp -o lto main.c lib.c; [[ $(./lto) == "42 42" ]]
nm main | grep -q ' T main'; objdump -d main >/dev/null; strip main; ./main >/dev/null
