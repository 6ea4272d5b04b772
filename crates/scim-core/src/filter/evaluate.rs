//! What a filter means. Every store finishes its queries here, so no two can disagree.
//!
//! * Any value of a multi-valued attribute may satisfy a comparison, `ne` included.
//! * `ne` is true of an attribute without a value: nothing is not identical to something.
//! * `pr` asks for a value that is not empty: null, `""`, `[]` and an object of such values are not present.
//! * Texts are compared folded unless the attribute is case exact, and ordered by the bytes of that form. Times are
//!   compared as moments. [`crate::key::Key`] orders values the same way.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value};

use super::{Comparison, Filter, Operand, Operator, Subject, Text};
use crate::schema::Attribute;
use crate::text::fold;
use crate::time::Instant;

/// What subjects are looked up in.
#[derive(Clone, Copy)]
enum Scope<'v> {
    Document(&'v Map<String, Value>),
    Element(&'v Value),
}

/// From how many bytes on a text is folded once for all comparisons. Megabytes of it take a second, and a filter has hundreds.
const LONG: usize = 1024;

/// One evaluation.
struct Evaluation<'e> {
    goes_on: &'e dyn Fn() -> bool,
    is_over: Cell<bool>,
    /// By where it is in the document, what a long text is folded.
    folded: RefCell<BTreeMap<usize, Rc<str>>>,
}

impl<'e> Evaluation<'e> {
    fn new(goes_on: &'e dyn Fn() -> bool) -> Self {
        Self { goes_on, is_over: Cell::new(false), folded: RefCell::default() }
    }

    /// Whether the next comparison is still wanted.
    fn goes_on(&self) -> bool {
        if !self.is_over.get() && !(self.goes_on)() {
            self.is_over.set(true);
        }
        !self.is_over.get()
    }

    /// What there is to say, if it was wanted to the end.
    fn outcome(&self, matches: bool) -> Option<bool> {
        (!self.is_over.get()).then_some(matches)
    }

    fn folded(&self, text: &str) -> Rc<str> {
        let mut folded = self.folded.borrow_mut();
        Rc::clone(folded.entry(text.as_ptr().addr()).or_insert_with(|| fold(text).into()))
    }
}

impl Filter {
    /// How many comparisons it takes at most to know whether something matches, which is what its length costs.
    pub fn comparisons(&self) -> usize {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().map(Self::comparisons).sum(),
            Self::Not(inner) => inner.comparisons(),
            Self::Element { filter, .. } => filter.comparisons(),
            Self::Compare(_) | Self::Present(_) | Self::Never => 1,
        }
    }

    /// Whether a canonical document matches. Inside value paths the document is an element.
    pub fn matches(&self, document: &Map<String, Value>) -> bool {
        matches(self, Scope::Document(document), &Evaluation::new(&|| true))
    }

    /// As [`Self::matches`], as long as it goes on, which is asked before each comparison. A comparison goes over the values of
    /// one attribute, once.
    pub fn matches_while(&self, document: &Map<String, Value>, goes_on: &dyn Fn() -> bool) -> Option<bool> {
        let evaluation = Evaluation::new(goes_on);
        let matches = matches(self, Scope::Document(document), &evaluation);
        evaluation.outcome(matches)
    }

    /// Whether one element of a multi-valued attribute matches a filter that was resolved for its elements.
    pub fn matches_element(&self, element: &Value) -> bool {
        matches(self, Scope::Element(element), &Evaluation::new(&|| true))
    }
}

fn matches(filter: &Filter, scope: Scope<'_>, evaluation: &Evaluation<'_>) -> bool {
    match filter {
        Filter::And(all) => all.iter().all(|part| matches(part, scope, evaluation)),
        Filter::Or(any) => any.iter().any(|part| matches(part, scope, evaluation)),
        Filter::Not(inner) => !matches(inner, scope, evaluation),
        Filter::Compare(comparison) => evaluation.goes_on() && compare(comparison, scope, evaluation),
        Filter::Present(subject) => any_value(subject, scope, |value| !is_empty(value)),
        Filter::Element { path, filter } => match scope {
            Scope::Document(document) => match path.attribute_value(document) {
                Some(Value::Array(elements)) => {
                    elements.iter().any(|element| matches(filter, Scope::Element(element), evaluation))
                }
                Some(value) => matches(filter, Scope::Element(value), evaluation),
                None => false,
            },
            Scope::Element(_) => false,
        },
        Filter::Never => false,
    }
}

fn compare(comparison: &Comparison, scope: Scope<'_>, evaluation: &Evaluation<'_>) -> bool {
    let Comparison { subject, operator, operand } = comparison;
    let attribute = subject.path().leaf();
    let holds = |value: &Value, operator, operand| holds(attribute, value, operator, operand, evaluation);
    let present = || any_value(subject, scope, |value| !is_empty(value));
    match (operator, operand) {
        (Operator::Ne, Operand::Null) => present(),
        (_, Operand::Null) => !present(),
        (Operator::Ne, operand) => {
            !any_value(subject, scope, |_| true)
                || any_value(subject, scope, |value| !holds(value, Operator::Eq, operand))
        }
        (operator, operand) => any_value(subject, scope, |value| holds(value, *operator, operand)),
    }
}

/// Whether `test` is true of any value of the subject.
fn any_value(subject: &Subject, scope: Scope<'_>, test: impl Fn(&Value) -> bool) -> bool {
    let test = |value: &Value| match value {
        Value::Array(elements) => elements.iter().any(&test),
        value => test(value),
    };
    match (subject, scope) {
        (Subject::Attribute(path), Scope::Document(document)) => path.values(document).any(test),
        (Subject::Attribute(path), Scope::Element(element)) => {
            element.get(path.attribute().name()).is_some_and(test)
        }
        (Subject::Element(_), Scope::Element(element)) => test(element),
        (Subject::Element(_), Scope::Document(_)) => false,
    }
}

/// Whether one value satisfies a comparison. A value of another type satisfies none.
fn holds(
    attribute: &Attribute,
    value: &Value,
    operator: Operator,
    operand: &Operand,
    evaluation: &Evaluation<'_>,
) -> bool {
    match (operand, value) {
        (Operand::Text(operand), Value::String(value)) if attribute.is_case_exact() => {
            text_holds(value, operator, operand)
        }
        (Operand::Text(operand), Value::String(value)) if value.len() < LONG => {
            text_holds(&fold(value), operator, operand)
        }
        (Operand::Text(operand), Value::String(value)) => {
            text_holds(&evaluation.folded(value), operator, operand)
        }
        (Operand::Boolean(operand), Value::Bool(value)) => ordered(value.cmp(operand), operator),
        (Operand::Integer(operand), Value::Number(value)) => {
            value.as_i64().is_some_and(|value| ordered(value.cmp(operand), operator))
        }
        (Operand::Decimal(operand), Value::Number(value)) => value
            .as_f64()
            .and_then(|value| value.partial_cmp(operand))
            .is_some_and(|ordering| ordered(ordering, operator)),
        (Operand::Instant(operand), Value::String(value)) => {
            Instant::parse(value).is_some_and(|value| ordered(value.cmp(operand), operator))
        }
        _ => false,
    }
}

fn text_holds(value: &str, operator: Operator, operand: &Text) -> bool {
    let operand: &str = operand;
    match operator {
        Operator::Co => value.contains(operand),
        Operator::Sw => value.starts_with(operand),
        Operator::Ew => value.ends_with(operand),
        Operator::Eq | Operator::Ne | Operator::Gt | Operator::Ge | Operator::Lt | Operator::Le => {
            ordered(value.cmp(operand), operator)
        }
    }
}

fn ordered(ordering: Ordering, operator: Operator) -> bool {
    match operator {
        Operator::Eq => ordering.is_eq(),
        Operator::Ne => ordering.is_ne(),
        Operator::Gt => ordering.is_gt(),
        Operator::Ge => ordering.is_ge(),
        Operator::Lt => ordering.is_lt(),
        Operator::Le => ordering.is_le(),
        Operator::Co | Operator::Sw | Operator::Ew => false,
    }
}

/// Whether a value counts as none.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.iter().all(is_empty),
        Value::Object(members) => members.values().all(is_empty),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
