package cli

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// asks reports whether there is somebody to ask: questions go to stderr and
// answers come from stdin, so both must be terminals.
func (a *app) asks() bool {
	in, isFile := a.In.(patient)
	if !isFile {
		return false
	}
	file, isFile := in.from.(*os.File)
	errs, errIsFile := a.Err.(*os.File)
	return isFile && errIsFile && term.IsTerminal(int(file.Fd())) && term.IsTerminal(int(errs.Fd()))
}

// confirm asks a question that --yes answers. Without a terminal it is bad usage
// that names the flag.
func (a *app) confirm(yes bool, flag, question string) error {
	if yes {
		return nil
	}
	if !a.asks() {
		return usage("%s\nnobody can be asked without a terminal: %s says yes", question, flag)
	}
	fmt.Fprintf(a.Err, "%s [y/N] ", question)
	line, err := bufio.NewReader(a.In).ReadString('\n')
	if err != nil && line == "" {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes", "예", "네":
		return nil
	}
	return &exit{ExitNo, fmt.Errorf("not confirmed; nothing was changed")}
}
