// Delay passes TCP connections on and holds what goes through them, as a way of
// some length would: `delay TARGET TIME` listens on a loopback port, prints its
// address and adds TIME to each direction.
package main

import (
	"fmt"
	"net"
	"os"
	"time"
)

// chunk is what was read at once and when it arrives at the other end.
type chunk struct {
	data []byte
	due  time.Time
}

func main() {
	fmt.Fprintln(os.Stderr, run(os.Args[1:]))
	os.Exit(1)
}

// run ends only with an error.
func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: delay HOST:PORT TIME, such as: delay 127.0.0.1:6443 5ms")
	}
	hold, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	for {
		near, err := listener.Accept()
		if err != nil {
			return err
		}
		far, err := net.Dial("tcp", args[0])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			_ = near.Close()
			continue
		}
		go pass(near, far, hold)
		go pass(far, near, hold)
	}
}

// pass copies one direction. Its queue is far longer than what is under way in
// hold, so reading never waits for writing but where the reader itself is slow.
func pass(to, from net.Conn, hold time.Duration) {
	queue := make(chan chunk, 1024)
	go func() {
		defer close(queue)
		for {
			data := make([]byte, 32<<10)
			n, err := from.Read(data)
			if n > 0 {
				queue <- chunk{data[:n], time.Now().Add(hold)}
			}
			if err != nil {
				return
			}
		}
	}()
	for c := range queue {
		time.Sleep(time.Until(c.due))
		if _, err := to.Write(c.data); err != nil {
			_ = from.Close()
			continue // until the reader has seen it
		}
	}
	_ = to.Close()
}
