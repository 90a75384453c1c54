// Programs on franz-go for the end-to-end tests: `clients member …` and `clients console …`.
package main

import (
	"fmt"
	"os"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	programs := map[string]func([]string){"member": runMember, "console": runConsole}
	if len(os.Args) < 2 || programs[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: clients member|console …")
		os.Exit(2)
	}
	programs[os.Args[1]](os.Args[2:])
}
