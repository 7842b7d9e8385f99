//go:build !charts

package charts
