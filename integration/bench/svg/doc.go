// Package svg draws line charts as SVG: one or more panels above one another that share an x axis. It is pure, uses no
// script and no font of its own, and its pictures follow the reader's choice of light or dark.
//
// Series are told apart by colour, by dashes and by the form of their marks, so that a print in grey can be read too.
// Points that can't be drawn (not a number, infinite, not above zero on a logarithmic axis) are left out.
package svg
