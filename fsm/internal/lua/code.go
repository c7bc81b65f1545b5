package lua

import "fmt"

// instr is one instruction. Operands called rk are a register, or below 0 a constant.
type instr struct {
	op      opcode
	flag    bool
	a, b, c int32
}

type opcode uint8

// The instructions. R is the frame's registers, K its constants, U its closure's cells. A captured local variable's
// register holds a cell.
const (
	opMove      opcode = iota // R[a] = R[b]
	opLoadK                   // R[a] = K[b]
	opLoadNil                 // R[a..b] = nil
	opNewCell                 // R[a] = a new cell of R[a]
	opGetCell                 // R[a] = what the cell R[b] holds
	opSetCell                 // the cell R[a] holds rk b
	opGetUp                   // R[a] = what U[b] holds
	opSetUp                   // U[a] holds rk b
	opGetGlobal               // R[a] = G[K[b]]
	opSetGlobal               // G[K[a]] = rk b
	opGetTable                // R[a] = (rk b)[rk c]
	opSetTable                // R[a][rk b] = rk c
	opNewTable                // R[a] = {}, room for b elements and c entries
	opSetList                 // R[a][c+1...] = R[a+1 ... a+b]; b < 0: to the top
	opSelf                    // R[a+1] = R[b], R[a] = R[b][K[c]]
	opAdd                     // R[a] = rk b + rk c
	opSub
	opMul
	opDiv
	opMod
	opPow
	opUnm    // R[a] = -rk b
	opNot    // R[a] = not rk b
	opLen    // R[a] = #rk b
	opConcat // R[a] = R[b] .. ... .. R[c]
	opJump   // go to a
	opTest   // go to a if the truth of rk b is flag
	opEq     // go to a if (rk b == rk c) is flag
	opLt
	opLe
	opCall     // R[a...] = R[a](R[a+1] ... R[a+b]); b < 0: to the top; c results, c < 0: all, and the top is behind them
	opTailCall // return R[a](R[a+1] ... R[a+b])
	opReturn   // return R[a ... a+b-1]; b < 0: to the top
	opForPrep  // R[a], R[a+1], R[a+2] are a loop's counter, limit, step: check, step back, go to b
	opForLoop  // step; if not past the limit R[a+3] = R[a] and go to b
	opForCall  // R[a+3 ... a+2+c] = R[a](R[a+1], R[a+2])
	opForTest  // if R[a+3] is not nil R[a+2] = R[a+3] and go to b
	opClosure  // R[a] = a closure of P[b]
	opVararg   // R[a ... a+b-1] = ...; b < 0: all, and the top is behind them
)

// Proto is a compiled function. It is read-only.
type Proto struct {
	code   []instr
	consts []Value
	protos []*Proto
	upvals []upvalDesc
	lines  []int32
	names  map[int32]names
	params int
	vararg bool
	regs   int // registers that a frame needs
	source string
	line   int // 0: the main function
}

// names say for error texts what an instruction works on.
type names struct {
	b, c operand
	list []operand // of a concatenation
}

// operand is what a value is called where it is used: a kind ("local", "global", "field", "upvalue", "method") and a name.
type operand struct{ kind, name string }

// Size estimates the bytes that a Proto takes, for caches.
func (p *Proto) Size() int {
	n := 16*len(p.code) + 4*len(p.lines) + valueBytes*len(p.consts) + 64*len(p.names) + 256
	for _, sub := range p.protos {
		n += sub.Size()
	}
	return n
}

// SourceBytesMax is how long a source may be.
const SourceBytesMax = 16 << 20

// Compile compiles source. chunk is how error texts name it. The error's text is what Lua 5.1 gives.
func Compile(source, chunk string) (p *Proto, err error) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(syntaxError)
			if !ok {
				panic(r)
			}
			err = &Error{Value: String(e.text)}
		}
	}()
	if len(source) > SourceBytesMax {
		return nil, &Error{Value: String(fmt.Sprintf("%s: source of more than %d bytes", chunk, SourceBytesMax))}
	}
	ps := &parser{lexer: lexer{src: source, line: 1, chunk: chunk}}
	return generate(ps.chunk(), chunk), nil
}
