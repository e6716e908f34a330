# Parallel, with a job server, included files, shell functions and a sub-make.
cat >Makefile <<'M'
objects := $(addsuffix .o,a b c d)
all: program sub
program: $(objects) main.c ; gcc -o $@ main.c $(objects)
%.o: %.c ; gcc -c -o $@ $<
%.c: ; @echo 'int $*(void) { return 1; }' > $@
sub: ; $(MAKE) -C dir
.PHONY: all sub
now := $(shell date +%s)
M
mkdir dir; printf 'all: x y\nx y:\n\techo $@ > $@\n' >dir/Makefile
echo 'int a(void),b(void),c(void),d(void); int main(void){return a()+b()+c()+d();}' >main.c
make -j4 >log; code=0; ./program || code=$?; [[ $code == 4 && -s dir/x && -s dir/y ]]
touch main.c; make -j2 >/dev/null; make -q sub || true
