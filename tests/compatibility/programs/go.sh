# flags: --memory=256M --file-size=256M
export PATH=$PATH:/usr/local/go/bin GOCACHE=$PWD/cache GO111MODULE=off GOFLAGS=-p=1 GOTELEMETRY=off GOMEMLIMIT=96MiB
cat >hello.go <<'G'
package main

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
)

func main() {
	var wait sync.WaitGroup
	var mutex sync.Mutex
	sum := 0
	for i := 0; i < 1000; i++ {
		wait.Add(1)
		go func(i int) { defer wait.Done(); mutex.Lock(); sum += i; mutex.Unlock() }(i)
	}
	wait.Wait()
	os.WriteFile("file", []byte("x"), 0600)
	out, err := exec.Command("/bin/echo", "child").Output()
	fmt.Println("hello", sum, string(out), err)
}
G
go build -o hello hello.go; ./hello | grep -q '^hello 499500 child'
