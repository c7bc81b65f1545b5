package lua

// The syntax tree, with names already resolved: what a name is follows from what was declared before it.
type (
	constExpr  struct{ v Value }
	varargExpr struct{}
	localExpr  struct{ v *localVar }
	upvalExpr  struct {
		index int
		name  string
	}
	globalExpr struct {
		name string
		line int
	}
	indexExpr struct {
		obj, key any
		line     int
	}
	callExpr struct {
		fn   any
		args []any
		line int
	}
	methodExpr struct {
		obj  any
		name string
		args []any
		line int
	}
	binaryExpr struct {
		op   string
		l, r any
		line int
	}
	unaryExpr struct {
		op   string
		e    any
		line int
	}
	logicExpr struct {
		and  bool
		l, r any
	}
	parenExpr struct{ e any } // cuts several values down to one
	funcExpr  struct{ f *funcBody }
	tableExpr struct {
		items []tableItem
		line  int
	}
	tableItem struct{ key, val any } // key nil: the next of the list
)

// Statements.
type (
	localStmt struct {
		vars  []*localVar
		exprs []any
		line  int
	}
	assignStmt struct {
		targets, exprs []any
		line           int
	}
	callStmt  struct{ call any }
	doStmt    struct{ body []any }
	whileStmt struct {
		cond any
		body []any
		line int
	}
	repeatStmt struct {
		body []any
		cond any
		line int
	}
	ifStmt struct {
		conds  []any
		bodies [][]any // one more than conds where there is an else
		line   int
	}
	numForStmt struct {
		v                 *localVar
		init, limit, step any
		body              []any
		line              int
	}
	genForStmt struct {
		vars  []*localVar
		exprs []any
		body  []any
		line  int
	}
	localFuncStmt struct {
		v    *localVar
		f    *funcBody
		line int
	}
	returnStmt struct {
		exprs []any
		line  int
	}
	breakStmt struct{ line int }
)

// localVar is a local variable. Where a closure uses it, it is kept in a cell.
type localVar struct {
	name     string
	captured bool
	reg      int
}

// funcBody is a function's source.
type funcBody struct {
	params    []*localVar
	vararg    bool
	body      []any
	upvals    []upvalDesc
	line, end int
}

// upvalDesc says where a closure finds a cell when it is made: in a local variable of the function around it, or among
// that function's own.
type upvalDesc struct {
	local *localVar // nil: index counts the function's own
	index int
	name  string
}
