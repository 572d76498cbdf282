//! From the text of an expression to a [`Program`]: CEL's grammar by its own parser, then names, types
//! and bounds.

use std::thread;

use cel::{
    IdedExpr,
    common::ast::{CallExpr, Expr, LiteralValue, operators as op},
};
use fluxgauge_proto::catalogue::{self, CATALOGUE, Metric, Scope};

use crate::program::{Number, Program, Truth};

/// Bytes of an expression.
pub const MAX_SOURCE_BYTES: usize = 1000;

/// How deep parts of an expression may lie in one another.
pub const MAX_DEPTH: usize = 64;

/// Parts of an expression: numbers, names, operators and functions.
pub const MAX_NODES: usize = 256;

/// The stack of the thread that parses: the parser looks into itself for each parenthesis.
const PARSER_STACK: usize = 16 * 1024 * 1024;

/// Why an expression cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError {
    /// The character that it is about, counted from 0.
    pub at: usize,
    /// What is wrong, and what to write.
    pub problem: String,
}

/// Compiles an expression.
///
/// # Errors
///
/// The first thing that is wrong with it.
///
/// ```
/// let program = derived_metrics::compile("ceil(pending_nodes_demand * 1.2)").unwrap();
/// assert_eq!(program.inputs()[0].name, "pending_nodes_demand");
/// assert_eq!(program.value(&[4.0]), Ok(5.0));
///
/// let error = derived_metrics::compile("ceil(pending_nodes)").unwrap_err();
/// assert_eq!(error.at, 5);
/// ```
pub fn compile(source: &str) -> Result<Program, CompileError> {
    let fail = |at, problem: String| Err(CompileError { at, problem });
    if source.len() > MAX_SOURCE_BYTES {
        let problem = format!("{} bytes are over the limit of {MAX_SOURCE_BYTES}", source.len());
        return fail(0, problem);
    }
    let parsed = match parse(source) {
        Ok(parsed) => parsed?,
        Err(()) => return fail(0, "this cannot be parsed".to_owned()),
    };
    let offsets = |id| parsed.source_info().offset_for(id).map_or(0, |(start, _)| start as usize);
    let mut compiler = Compiler { offsets: &offsets, source, inputs: Vec::new(), nodes: 0 };
    match compiler.expression(parsed.expression(), 0)? {
        Typed::Number(root) => Ok(Program { root, inputs: compiler.inputs }),
        Typed::Truth(_) => fail(
            0,
            "a metric is a number, and this is true or false: write CONDITION ? 1 : 0".to_owned(),
        ),
    }
}

/// Parses on a thread with room for all that the parser does; `Err(())` where it fails.
fn parse(source: &str) -> Result<Result<cel::Program, CompileError>, ()> {
    thread::scope(|scope| {
        let parser = thread::Builder::new().stack_size(PARSER_STACK);
        let parser = parser.spawn_scoped(scope, || {
            cel::Program::compile(source).map_err(|errors| {
                let first = errors.errors.first();
                let (line, column) = first.map_or((1, 1), |error| error.pos);
                let message = first.map_or("no expression", |error| error.msg.as_str());
                CompileError { at: at(source, line, column), problem: message.to_owned() }
            })
        });
        parser.map_err(drop)?.join().map_err(drop)
    })
}

/// The character of a line and a column.
fn at(source: &str, line: isize, column: isize) -> usize {
    let number = |number: isize| usize::try_from(number).unwrap_or_default().saturating_sub(1);
    let before = source.split_inclusive('\n').take(number(line)).map(|line| line.chars().count());
    (before.sum::<usize>() + number(column)).min(source.chars().count())
}

/// An expression of one of the two types.
enum Typed {
    Number(Number),
    Truth(Truth),
}

impl Typed {
    const fn name(&self) -> &'static str {
        match self {
            Self::Number(_) => "a number",
            Self::Truth(_) => "true or false",
        }
    }
}

struct Compiler<'a> {
    /// Where a part of the expression is, by its id.
    offsets: &'a dyn Fn(u64) -> usize,
    source: &'a str,
    inputs: Vec<&'static Metric>,
    nodes: usize,
}

/// Functions of one number.
type One = fn(f64) -> f64;
/// Functions of two numbers.
type Two = fn(f64, f64) -> f64;

const ONE: [(&str, One); 4] =
    [("ceil", f64::ceil), ("floor", f64::floor), ("round", f64::round), ("abs", f64::abs)];

const SEVERAL: [(&str, Two); 4] =
    [("min", f64::min), ("max", f64::max), ("least", f64::min), ("greatest", f64::max)];

impl Compiler<'_> {
    fn fail<T>(&self, node: &IdedExpr, problem: impl Into<String>) -> Result<T, CompileError> {
        let at = (self.offsets)(node.id).min(self.source.chars().count());
        Err(CompileError { at, problem: problem.into() })
    }

    fn expression(&mut self, node: &IdedExpr, depth: usize) -> Result<Typed, CompileError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return self.fail(node, format!("it has more than {MAX_NODES} parts"));
        }
        if depth > MAX_DEPTH {
            return self.fail(node, format!("its parts lie more than {MAX_DEPTH} deep"));
        }
        match &node.expr {
            Expr::Literal(literal) => self.literal(node, literal),
            Expr::Ident(name) => self.metric(node, name),
            Expr::Call(call) => self.call(node, call, depth + 1),
            Expr::Comprehension(_) => self.fail(node, "macros have no place in a metric"),
            Expr::List(_)
            | Expr::Map(_)
            | Expr::Struct(_)
            | Expr::Select(_)
            | Expr::Unspecified => {
                self.fail(node, "only numbers, metrics, operators and functions have a place here")
            }
        }
    }

    fn literal(&self, node: &IdedExpr, literal: &LiteralValue) -> Result<Typed, CompileError> {
        let number = |number: f64| Ok(Typed::Number(Number::Constant(number)));
        #[allow(clippy::cast_precision_loss, reason = "every number is a double")]
        match literal {
            LiteralValue::Double(double) => number(**double),
            LiteralValue::Int(int) => number(**int as f64),
            LiteralValue::UInt(uint) => number(**uint as f64),
            LiteralValue::Boolean(truth) => Ok(Typed::Truth(Truth::Constant(**truth))),
            LiteralValue::Bytes(_) | LiteralValue::Null | LiteralValue::String(_) => {
                self.fail(node, "only numbers, true and false have a place here")
            }
        }
    }

    fn metric(&mut self, node: &IdedExpr, name: &str) -> Result<Typed, CompileError> {
        let Some(metric) = catalogue::find(name) else {
            let near = nearest(name, |metric| metric.scope != Scope::Broker);
            let hint = near.map_or_else(String::new, |near| format!("; is it {near}?"));
            return self.fail(node, format!("there is no metric {name}{hint}"));
        };
        if metric.scope == Scope::Broker {
            let problem = format!("{name} describes a broker, and this is about a MiniCluster");
            return self.fail(node, problem);
        }
        let known = self.inputs.iter().position(|input| input.name == name);
        let index = known.unwrap_or_else(|| {
            self.inputs.push(metric);
            self.inputs.len() - 1
        });
        Ok(Typed::Number(Number::Input(index)))
    }

    fn call(
        &mut self,
        node: &IdedExpr,
        call: &CallExpr,
        depth: usize,
    ) -> Result<Typed, CompileError> {
        let CallExpr { func_name, target, args } = call;
        match target.as_deref().map(|target| &target.expr) {
            None => {}
            Some(Expr::Ident(math)) if math == "math" => {}
            Some(_) => {
                return self.fail(node, format!("{func_name} is a function of nothing here"));
            }
        }
        let name = func_name.as_str();
        let number = |number| Ok(Typed::Number(number));
        let truth = |truth| Ok(Typed::Truth(truth));
        if let Some((_, function)) = ONE.iter().find(|(known, _)| *known == name) {
            let [of] = self.take(node, name, args)?;
            return number(Number::One(*function, Box::new(self.number(of, depth)?)));
        }
        if let Some((_, function)) = SEVERAL.iter().find(|(known, _)| *known == name) {
            let Some((first, rest)) = args.split_first() else {
                return self.fail(node, format!("{name} needs a number"));
            };
            let mut all = self.number(first, depth)?;
            for next in rest {
                all = Number::Two(*function, Box::new((all, self.number(next, depth)?)));
            }
            return number(all);
        }
        let arithmetic: Option<Two> = match name {
            op::ADD => Some(|a, b| a + b),
            op::SUBSTRACT => Some(|a, b| a - b),
            op::MULTIPLY => Some(|a, b| a * b),
            op::DIVIDE => Some(|a, b| a / b),
            op::MODULO => Some(|a, b| a % b),
            _ => None,
        };
        if let Some(function) = arithmetic {
            let [a, b] = self.take(node, name, args)?;
            let both = (self.number(a, depth)?, self.number(b, depth)?);
            return number(Number::Two(function, Box::new(both)));
        }
        let comparison: Option<fn(&f64, &f64) -> bool> = match name {
            op::LESS => Some(f64::lt),
            op::LESS_EQUALS => Some(f64::le),
            op::GREATER => Some(f64::gt),
            op::GREATER_EQUALS => Some(f64::ge),
            _ => None,
        };
        if let Some(holds) = comparison {
            let [a, b] = self.take(node, name, args)?;
            let both = (self.number(a, depth)?, self.number(b, depth)?);
            return truth(Truth::Compare(holds, Box::new(both)));
        }
        match name {
            op::NEGATE => {
                let [of] = self.take(node, name, args)?;
                number(Number::One(|a| -a, Box::new(self.number(of, depth)?)))
            }
            op::LOGICAL_NOT => {
                let [of] = self.take(node, name, args)?;
                truth(Truth::Not(Box::new(self.truth(of, depth)?)))
            }
            op::LOGICAL_AND | op::LOGICAL_OR => {
                // Three in a row may come as one call.
                let mut all = None;
                for next in args {
                    let next = self.truth(next, depth)?;
                    all = Some(match all {
                        None => next,
                        Some(first) if name == op::LOGICAL_AND => {
                            Truth::And(Box::new((first, next)))
                        }
                        Some(first) => Truth::Or(Box::new((first, next))),
                    });
                }
                all.map_or_else(|| self.fail(node, "something is missing here"), truth)
            }
            op::EQUALS | op::NOT_EQUALS => self.same(node, args, name == op::EQUALS, depth),
            op::CONDITIONAL => self.conditional(node, args, depth),
            "clamp" => {
                let [of, low, high] = self.take(node, name, args)?;
                let at_least = Box::new((self.number(of, depth)?, self.number(low, depth)?));
                let at_least = Number::Two(f64::max, at_least);
                let high = self.number(high, depth)?;
                number(Number::Two(f64::min, Box::new((at_least, high))))
            }
            "double" | "int" => {
                self.fail(node, "every number is a double: leave the conversion out")
            }
            _ => self.fail(
                node,
                format!(
                    "there is no function {name}: ceil, floor, round, abs, min, max and clamp are \
                     known"
                ),
            ),
        }
    }

    fn same(
        &mut self,
        node: &IdedExpr,
        args: &[IdedExpr],
        same: bool,
        depth: usize,
    ) -> Result<Typed, CompileError> {
        let [a, b] = self.take(node, "==", args)?;
        match (self.expression(a, depth)?, self.expression(b, depth)?) {
            (Typed::Number(a), Typed::Number(b)) => {
                let holds = if same { f64::eq } else { f64::ne };
                Ok(Typed::Truth(Truth::Compare(holds, Box::new((a, b)))))
            }
            (Typed::Truth(a), Typed::Truth(b)) => {
                Ok(Typed::Truth(Truth::Same(same, Box::new((a, b)))))
            }
            (a, b) => self.fail(node, format!("{} is never the same as {}", a.name(), b.name())),
        }
    }

    fn conditional(
        &mut self,
        node: &IdedExpr,
        args: &[IdedExpr],
        depth: usize,
    ) -> Result<Typed, CompileError> {
        let [condition, then, otherwise] = self.take(node, "? :", args)?;
        let condition = self.truth(condition, depth)?;
        match (self.expression(then, depth)?, self.expression(otherwise, depth)?) {
            (Typed::Number(then), Typed::Number(otherwise)) => {
                Ok(Typed::Number(Number::If(Box::new((condition, then, otherwise)))))
            }
            (Typed::Truth(then), Typed::Truth(otherwise)) => {
                Ok(Typed::Truth(Truth::If(Box::new((condition, then, otherwise)))))
            }
            (then, otherwise) => self.fail(
                node,
                format!("one side of ? : is {}, the other {}", then.name(), otherwise.name()),
            ),
        }
    }

    fn number(&mut self, node: &IdedExpr, depth: usize) -> Result<Number, CompileError> {
        match self.expression(node, depth)? {
            Typed::Number(number) => Ok(number),
            Typed::Truth(_) => {
                self.fail(node, "a number is needed here, and this is true or false")
            }
        }
    }

    fn truth(&mut self, node: &IdedExpr, depth: usize) -> Result<Truth, CompileError> {
        match self.expression(node, depth)? {
            Typed::Truth(truth) => Ok(truth),
            Typed::Number(_) => {
                self.fail(node, "true or false is needed here, and this is a number")
            }
        }
    }

    fn take<'n, const N: usize>(
        &self,
        node: &IdedExpr,
        name: &str,
        args: &'n [IdedExpr],
    ) -> Result<[&'n IdedExpr; N], CompileError> {
        let given = args.len();
        let all: Vec<_> = args.iter().collect();
        all.try_into()
            .or_else(|_| self.fail(node, format!("{name} needs {N} numbers, not {given}")))
    }
}

/// The metric whose name is most like this one, of those that would do, if any is.
pub fn nearest(name: &str, would_do: impl Fn(&Metric) -> bool) -> Option<&'static str> {
    let all = CATALOGUE.iter().filter(|metric| would_do(metric));
    let near = all.map(|metric| (distance(name, metric.name), metric.name));
    near.min().filter(|(distance, _)| *distance <= name.len() / 3).map(|(_, name)| name)
}

/// Letters to add, take away or exchange (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (n, own) in a.bytes().enumerate() {
        let mut diagonal = n;
        let mut left = n + 1;
        for (cell, other) in row.iter_mut().skip(1).zip(b.bytes()) {
            let changed = diagonal + usize::from(own != other);
            diagonal = *cell;
            left = changed.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = n + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
