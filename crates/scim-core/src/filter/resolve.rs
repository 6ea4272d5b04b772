//! Names and literals of a parsed filter, resolved against the schema.
//!
//! The rules of which comparison makes sense are here and nowhere else:
//!
//! | type | operators besides `eq`, `ne` and `pr` |
//! |---|---|
//! | string, reference | `co` `sw` `ew` `gt` `ge` `lt` `le` |
//! | integer, decimal, dateTime | `gt` `ge` `lt` `le` |
//! | boolean, binary | none (RFC 7644 §3.4.2.2) |
//!
//! A multi-valued complex attribute stands for its `value` sub-attribute. Attributes that are never returned cannot be
//! compared at all, or a filter would tell what an answer does not.

use std::borrow::Cow;
use std::sync::Arc;

use super::expression::{Expression, Literal, NodeKind, RawComparison};
use super::{Comparison, Filter, Operand, Operator, Subject, Text};
use crate::error::{Error, ErrorKind, Result};
use crate::path::AttributePath;
use crate::schema::{Attribute, ResourceType, Returned, Type, is_attribute_name};
use crate::text::{excerpt, fold, nearest};
use crate::time::Instant;

pub(super) struct Resolver<'a, 't> {
    pub(super) expression: &'a Expression<'t>,
    pub(super) resource_type: &'a ResourceType,
    /// Whether attributes that the type lacks are such without a value.
    pub(super) among_types: bool,
    pub(super) kind: ErrorKind,
}

impl Resolver<'_, '_> {
    pub(super) fn resolve(&self) -> Result<Filter> {
        let mut filter = Filter::Never;
        self.node(self.expression.root, None, &mut filter)?;
        Ok(filter)
    }

    /// Resolves a filter that stands in the brackets after `path`.
    pub(super) fn resolve_elements(&self, path: &AttributePath) -> Result<Filter> {
        self.check_element(path).map_err(|error| error.of_kind(ErrorKind::InvalidPath))?;
        let mut filter = Filter::Never;
        self.node(self.expression.root, Some(path), &mut filter)?;
        Ok(filter)
    }

    /// Resolves a node to where its filter belongs: moving filters about costs more than resolving them. What cannot
    /// match leaves the place as it is, at [`Filter::Never`].
    fn node(&self, index: usize, enclosing: Option<&AttributePath>, to: &mut Filter) -> Result<()> {
        let Some(node) = self.expression.nodes.get(index) else { return Ok(()) };
        match &node.kind {
            NodeKind::And(first) => {
                let parts = self.list(*first, enclosing)?;
                *to = if self.among_types { all(parts) } else { Filter::And(parts) };
            }
            NodeKind::Or(first) => {
                let parts = self.list(*first, enclosing)?;
                *to = if self.among_types { any(parts) } else { Filter::Or(parts) };
            }
            NodeKind::Not(inner) => {
                let inner = self.boxed(*inner, enclosing)?;
                if !is_always(&inner) {
                    *to = Filter::Not(inner);
                }
            }
            NodeKind::Compare(raw) => {
                self.comparison(raw, enclosing, to).map_err(|error| error.spanning(raw.span()))?;
            }
            NodeKind::Element(name, inner) => {
                let Some(path) = self.path(name)? else { return Ok(()) };
                if self.among_types && !has_elements(&path) {
                    return Ok(());
                }
                self.check_element(&path)?;
                let filter = self.boxed(*inner, Some(&path))?;
                if *filter != Filter::Never {
                    *to = Filter::Element { path, filter };
                }
            }
        }
        Ok(())
    }

    fn boxed(&self, index: usize, enclosing: Option<&AttributePath>) -> Result<Box<Filter>> {
        let mut filter = Box::new(Filter::Never);
        self.node(index, enclosing, &mut filter)?;
        Ok(filter)
    }

    fn list(&self, first: usize, enclosing: Option<&AttributePath>) -> Result<Vec<Filter>> {
        let mut filters = Vec::with_capacity(2);
        let mut next = Some(first);
        while let Some(index) = next {
            filters.push(Filter::Never);
            if let Some(last) = filters.last_mut() {
                self.node(index, enclosing, last)?;
            }
            next = self.expression.nodes.get(index).and_then(|node| node.next);
        }
        Ok(filters)
    }

    /// The attribute of this name, or `None` if the type lacks it and that is allowed.
    fn path(&self, name: &str) -> Result<Option<AttributePath>> {
        match AttributePath::parse(name, self.resource_type) {
            Ok(path) => Ok(Some(path)),
            Err(_) if self.among_types && is_written_right(name) => Ok(None),
            Err(error) => Err(error.of_kind(self.kind)),
        }
    }

    fn check_element(&self, path: &AttributePath) -> Result<()> {
        if !has_elements(path) {
            return Err(self
                .error(format!("`{path}` has no elements to select from"))
                .remedy(format!("use `{path}` without brackets")));
        }
        self.check_visible(path)
    }

    fn check_visible(&self, path: &AttributePath) -> Result<()> {
        if path.leaf().returned() != Returned::Never && path.attribute().returned() != Returned::Never {
            return Ok(());
        }
        Err(self.error(format!("`{path}` is never returned and cannot be compared")))
    }

    fn comparison(
        &self,
        raw: &RawComparison<'_>,
        enclosing: Option<&AttributePath>,
        to: &mut Filter,
    ) -> Result<()> {
        let subject = match enclosing {
            Some(path) => match self.in_element(&raw.path, path) {
                Ok(subject) => subject,
                Err(_) if self.among_types && is_attribute_name(&raw.path) => {
                    *to = of_no_value(raw);
                    return Ok(());
                }
                Err(error) => return Err(error),
            },
            None => match self.path(&raw.path)? {
                Some(path) => Subject::Attribute(path),
                None => {
                    *to = of_no_value(raw);
                    return Ok(());
                }
            },
        };
        self.check_visible(subject.path())?;
        let Some(operator) = raw.operator else {
            *to = Filter::Present(subject);
            return Ok(());
        };
        let subject = self.comparable(subject)?;
        let operand = self.operand(subject.path().leaf(), operator, &raw.literal, subject.path())?;
        *to = match operand {
            Operand::Boolean(false) if is_primary(&subject, enclosing) => said_of_primary(subject, operator),
            operand => Filter::Compare(Comparison { subject, operator, operand }),
        };
        Ok(())
    }

    fn in_element(&self, name: &str, enclosing: &AttributePath) -> Result<Subject> {
        let attribute = enclosing.attribute();
        if attribute.kind() != Type::Complex {
            return match name.eq_ignore_ascii_case("value") {
                true => Ok(Subject::Element(enclosing.clone())),
                false => Err(self
                    .error(format!("the elements of `{enclosing}` have no `{name}`"))
                    .remedy("compare `value`, which is the element itself")),
            };
        }
        match attribute.sub_attribute(name) {
            Some(sub) => Ok(Subject::Attribute(AttributePath::new(None, Arc::clone(sub), None))),
            None => {
                let known: Vec<&str> = attribute.sub_attributes().iter().map(|sub| sub.name()).collect();
                let error =
                    self.error(format!("`{}` is not a sub-attribute of `{enclosing}`", excerpt(name)));
                Err(match nearest(name, known.iter().copied()) {
                    Some(near) => error.remedy(format!("did you mean `{near}`?")),
                    None => error.remedy(format!("it has {}", known.join(", "))),
                })
            }
        }
    }

    /// What a complex attribute stands for when it is compared.
    fn comparable(&self, subject: Subject) -> Result<Subject> {
        let Subject::Attribute(path) = &subject else { return Ok(subject) };
        let leaf = path.leaf();
        if leaf.kind() != Type::Complex {
            return Ok(subject);
        }
        match leaf.sub_attribute("value") {
            Some(value) if leaf.is_multi_valued() && path.sub().is_none() => {
                Ok(Subject::Attribute(path.with_sub(Arc::clone(value))))
            }
            value => {
                let example = value.or(leaf.sub_attributes().first()).map_or("value", |sub| sub.name());
                Err(self
                    .error(format!("`{path}` is complex and cannot be compared as a whole"))
                    .remedy(format!("compare one of its sub-attributes, as in `{path}.{example}`")))
            }
        }
    }

    fn operand(
        &self,
        attribute: &Attribute,
        operator: Operator,
        literal: &Literal<'_>,
        path: &AttributePath,
    ) -> Result<Operand> {
        let kind = attribute.kind();
        let fits = match operator {
            Operator::Eq | Operator::Ne => true,
            Operator::Co | Operator::Sw | Operator::Ew => matches!(kind, Type::String | Type::Reference),
            Operator::Gt | Operator::Ge | Operator::Lt | Operator::Le => {
                !matches!(kind, Type::Boolean | Type::Binary | Type::Complex)
            }
        };
        if !fits {
            let error = self.error(format!(
                "`{}` cannot be used with `{path}`, which has type {}",
                operator.name(),
                kind.name()
            ));
            return Err(match kind {
                Type::DateTime => error.remedy("use `gt`, `ge`, `lt` or `le`"),
                _ => error.remedy("use `eq`, `ne` or `pr`"),
            });
        }
        let operand = match (kind, literal) {
            (_, Literal::Null) if matches!(operator, Operator::Eq | Operator::Ne) => Some(Operand::Null),
            (Type::Boolean, Literal::Boolean(value)) => Some(Operand::Boolean(*value)),
            (Type::Integer, Literal::Number(number)) => whole(number).map(Operand::Integer),
            (Type::Decimal, Literal::Number(number)) => number.as_f64().map(Operand::Decimal),
            (Type::DateTime, Literal::Text(text)) => Instant::parse(text).map(Operand::Instant),
            (Type::String | Type::Reference | Type::Binary, Literal::Text(text)) => {
                Some(Operand::Text(Text::new(text, attribute.is_case_exact())))
            }
            _ => None,
        };
        operand.ok_or_else(|| {
            let plus = |text: &str| text.contains(' ') && Instant::parse(&text.replace(' ', "+")).is_some();
            let example = match kind {
                Type::DateTime if matches!(literal, Literal::Text(text) if plus(text)) => {
                    "it with `+` where the space is, which is written `%2B` in a URL"
                }
                Type::Boolean => "`true` or `false`",
                Type::Integer => "a whole number",
                Type::Decimal => "a number",
                Type::DateTime => "a time such as \"2011-05-13T04:42:34Z\"",
                Type::String | Type::Reference | Type::Binary | Type::Complex => "text in double quotes",
            };
            self.error(format!(
                "`{path}` has type {} and cannot be compared with {}",
                kind.name(),
                describe(literal)
            ))
            .remedy(format!("give {example}"))
        })
    }

    fn error(&self, explanation: String) -> Error {
        Error::new(self.kind, explanation)
    }
}

impl Text {
    /// A text to compare with an attribute that is case exact or not.
    pub fn new(sent: &str, case_exact: bool) -> Self {
        let compared = if case_exact { Cow::Borrowed(sent) } else { fold(sent) };
        let folded = match compared {
            Cow::Owned(folded) if folded != sent => Some(folded.into_boxed_str()),
            Cow::Owned(_) | Cow::Borrowed(_) => None,
        };
        Self { sent: sent.into(), folded }
    }
}

/// What a comparison says of an attribute that has no value.
fn of_no_value(raw: &RawComparison<'_>) -> Filter {
    match (raw.operator, &raw.literal) {
        (Some(Operator::Ne), Literal::Null) => Filter::Never,
        (Some(Operator::Ne), _) | (Some(Operator::Eq), Literal::Null) => always(),
        (Some(_) | None, _) => Filter::Never,
    }
}

fn always() -> Filter {
    Filter::Not(Box::new(Filter::Never))
}

fn is_always(filter: &Filter) -> bool {
    matches!(filter, Filter::Not(inner) if **inner == Filter::Never)
}

/// `and`, of parts of which some may be decided already: one that never matches decides, and one that always does says
/// nothing. So what is decided stands alone, or in brackets alone, and a store has nothing to look up for it.
fn all(mut parts: Vec<Filter>) -> Filter {
    if parts.contains(&Filter::Never) {
        return Filter::Never;
    }
    parts.retain(|part| !is_always(part));
    match parts.len() {
        0 => always(),
        1 => parts.swap_remove(0),
        _ => Filter::And(parts),
    }
}

/// `or`, the other way round.
fn any(mut parts: Vec<Filter>) -> Filter {
    if parts.iter().any(is_always) {
        return always();
    }
    parts.retain(|part| *part != Filter::Never);
    match parts.len() {
        0 => Filter::Never,
        1 => parts.swap_remove(0),
        _ => Filter::Or(parts),
    }
}

/// Whether it could be the name of an attribute or a sub-attribute (RFC 7644 figure 1).
fn is_written_right(name: &str) -> bool {
    let name = name.rsplit_once(':').map_or(name, |(_, name)| name);
    name.split('.').count() <= 2 && name.split('.').all(is_attribute_name)
}

/// Whether a filter in brackets can stand after it.
fn has_elements(path: &AttributePath) -> bool {
    path.sub().is_none() && (path.attribute().is_multi_valued() || path.attribute().kind() == Type::Complex)
}

/// Whether it is the `primary` of the elements of a multi-valued attribute.
fn is_primary(subject: &Subject, enclosing: Option<&AttributePath>) -> bool {
    let path = subject.path();
    let list = match enclosing {
        Some(around) => around.attribute(),
        None => path.attribute(),
    };
    list.is_multi_valued() && list.kind() == Type::Complex && path.leaf().name() == "primary"
}

/// `primary` compared with `false`. RFC 7643 §2.4: "If not specified, the value of "primary" SHALL be assumed to be
/// "false"", so that what is not `true` is.
fn said_of_primary(subject: Subject, operator: Operator) -> Filter {
    let compare = |subject, operator| {
        Filter::Compare(Comparison { subject, operator, operand: Operand::Boolean(true) })
    };
    let Some(sub) = subject.path().sub().map(Arc::clone) else {
        let opposite = if operator == Operator::Eq { Operator::Ne } else { Operator::Eq };
        return compare(subject, opposite);
    };
    let list = subject.path().parent();
    if operator == Operator::Eq {
        let element = Subject::Attribute(AttributePath::new(None, sub, None));
        return Filter::Element { path: list, filter: Box::new(compare(element, Operator::Ne)) };
    }
    let nobody = Filter::Not(Box::new(Filter::Present(Subject::Attribute(list))));
    Filter::Or(vec![nobody, compare(subject, Operator::Eq)])
}

fn whole(number: &serde_json::Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let value = number.as_f64()?;
        let exact = value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0;
        exact.then_some(value as i64)
    })
}

fn describe(literal: &Literal<'_>) -> String {
    match literal {
        Literal::Null => "`null`".to_owned(),
        Literal::Boolean(value) => format!("`{value}`"),
        Literal::Number(number) => format!("`{number}`"),
        Literal::Text(text) => format!("the text `{}`", excerpt(text)),
    }
}
