// Command licenses lists the modules that meshstorm links, with their licence
// texts and as an SPDX document, and refuses what is not on the allow-list.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// allowed are the licences that may be linked into an Apache-2.0 binary.
var allowed = []string{"Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MPL-2.0", "Unlicense"}

type module struct {
	Path, Version, Dir string
	Main               bool
}

func main() {
	out := flag.String("out", "dist", "folder to write into; empty only checks")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "licenses:", err)
		os.Exit(1)
	}
}

func run(out string) error {
	modules, err := linked()
	if err != nil {
		return err
	}
	var texts strings.Builder
	var packages []spdxPackage
	var faults []error
	for _, m := range modules {
		text, license, err := licenseOf(m.Dir)
		if err == nil && !slices.Contains(allowed, license) {
			err = fmt.Errorf("licence %q is not on the list", license)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s %s: %w", m.Path, m.Version, err))
			continue
		}
		fmt.Fprintf(&texts, "%s %s (%s)\n\n%s\n\n%s\n\n", m.Path, m.Version, license, text, strings.Repeat("-", 78))
		packages = append(packages, newPackage(m, license))
	}
	if err := errors.Join(faults...); err != nil || out == "" {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, "THIRD_PARTY_LICENSES.txt"), []byte(texts.String()), 0o644); err != nil {
		return err
	}
	data, err := json.MarshalIndent(document(packages), "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, "sbom.spdx.json"), append(data, '\n'), 0o644)
}

// linked lists the modules whose packages a command links, sorted by path.
func linked() ([]module, error) {
	byPath := map[string]module{}
	for _, in := range []struct {
		dir      string
		programs []string
	}{
		{".", []string{"./cmd/meshstorm"}},
		{"lab", []string{"./cmd/meshstorm-lab", "./cmd/meshstorm-pod"}},
	} {
		if err := add(byPath, in.dir, in.programs); err != nil {
			return nil, err
		}
	}
	delete(byPath, "github.com/meshstorm/meshstorm") // which the lab's module requires
	all := slices.Collect(maps.Values(byPath))
	slices.SortFunc(all, func(a, b module) int { return strings.Compare(a.Path+a.Version, b.Path+b.Version) })
	return all, nil
}

// add collects the modules of programs; two versions of one module both count.
func add(to map[string]module, dir string, programs []string) error {
	cmd := exec.Command("go", append([]string{"list", "-deps", "-json=Module"}, programs...)...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	data, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("go list in %s: %w", dir, err)
	}
	dec := json.NewDecoder(strings.NewReader(string(data)))
	for {
		var p struct{ Module *module }
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if p.Module == nil || p.Module.Main {
			continue
		}
		key := p.Module.Path
		if other, ok := to[key]; ok && other.Version != p.Module.Version {
			key += "@" + p.Module.Version
		}
		to[key] = *p.Module
	}
}

// licenseOf reads the licence file of a module and names the licence by
// phrases that only it has.
func licenseOf(dir string) (text, license string, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "[LlCc][IiOo][CcPp][EeYy]*"))
	if err != nil || len(files) == 0 {
		return "", "", errors.New("no licence file in the module")
	}
	for _, file := range files { // some modules have a COPYRIGHT beside the LICENSE
		data, err := os.ReadFile(file)
		if err != nil {
			return "", "", err
		}
		if text, license = string(data), licenseName(string(data)); license != "unknown" {
			break
		}
	}
	return text, license, nil
}

func licenseName(text string) string {
	flat := strings.ToLower(strings.Join(strings.Fields(text), " "))
	for _, known := range []struct{ phrase, name string }{
		{"apache license version 2.0", "Apache-2.0"},
		{"apache license, version 2.0", "Apache-2.0"},
		{"mozilla public license", "MPL-2.0"},
		{"permission is hereby granted, free of charge", "MIT"},
		{"permission to use, copy, modify, and/or distribute", "ISC"},
		{"permission to use, copy, modify, and distribute", "ISC"},
		{"free and unencumbered software", "Unlicense"},
		{"neither the name", "BSD-3-Clause"},
		{"redistribution and use in source and binary forms", "BSD-2-Clause"},
	} {
		if strings.Contains(flat, known.phrase) {
			return known.name
		}
	}
	return "unknown"
}

type spdxPackage struct {
	ID       string `json:"SPDXID"`
	Name     string `json:"name"`
	Version  string `json:"versionInfo"`
	Download string `json:"downloadLocation"`
	License  string `json:"licenseConcluded"`
	Files    bool   `json:"filesAnalyzed"`
}

func newPackage(m module, license string) spdxPackage {
	id := strings.Map(func(r rune) rune {
		if r == '/' || r == '_' {
			return '-'
		}
		return r
	}, m.Path)
	return spdxPackage{ID: "SPDXRef-" + id, Name: m.Path, Version: m.Version, Download: "https://" + m.Path, License: license}
}

func document(packages []spdxPackage) map[string]any {
	return map[string]any{
		"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "dataLicense": "CC0-1.0",
		"name": "meshstorm", "documentNamespace": "https://github.com/meshstorm/meshstorm/sbom",
		"creationInfo": map[string]any{"created": "1970-01-01T00:00:00Z", "creators": []string{"Tool: meshstorm-licenses"}},
		"packages":     packages,
	}
}
