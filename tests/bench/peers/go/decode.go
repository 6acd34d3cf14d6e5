// SPDX-License-Identifier: Apache-2.0

// The decoder of the AWS SDK for Go; tests/bench/decoder.py says how it is spoken to.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

// chunks reads an answer as a socket would give it: so many bytes at a time at most.
type chunks struct {
	rest []byte
	size int
}

func (c *chunks) Read(into []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(into, c.rest[:min(c.size, len(c.rest))])
	c.rest = c.rest[n:]
	return n, nil
}

type tally struct{ frames, headers, payload int }

func pass(answer []byte, chunk int, buffer []byte) tally {
	decoder := eventstream.NewDecoder()
	reader := bufio.NewReaderSize(&chunks{answer, chunk}, chunk)
	var found tally
	for {
		message, err := decoder.Decode(reader, buffer[:0])
		if errors.Is(err, io.EOF) {
			return found
		}
		check(err)
		found.frames++
		found.headers += len(message.Headers)
		found.payload += len(message.Payload)
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	answer, err := os.ReadFile(os.Args[1])
	check(err)
	chunk, err := strconv.Atoi(os.Args[2])
	check(err)
	buffer := make([]byte, 0, 10*1024) // as the generated clients have it
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		passes, err := strconv.Atoi(lines.Text())
		check(err)
		var found tally
		ns := int64(math.MaxInt64)
		for i := 0; i < passes; i++ {
			before := time.Now()
			found = pass(answer, chunk, buffer)
			ns = min(ns, time.Since(before).Nanoseconds())
		}
		fmt.Println(found.frames, found.headers, found.payload, "-", ns)
	}
}
