//! Parsed filters and paths, before their names are resolved.
//!
//! An [`Expression`] is a flat list of nodes that borrow from the text. Callers who understand more than the RFC
//! rewrite its comparisons before they resolve it; everybody else uses [`Filter::parse`].

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Number;

use super::lexer::{Lexer, Token};
use super::resolve::Resolver;
use super::{Filter, MAX_DEPTH, Operator};
use crate::error::{Error, ErrorKind, Result};
use crate::path::{AttributePath, Named};
use crate::schema::{Attribute, ResourceType};
use crate::text::{excerpt, nearest};

/// Longest text of a filter or a path, in bytes.
pub const MAX_LENGTH: usize = 64 * 1024;

/// A parsed filter.
#[derive(Debug)]
pub struct Expression<'t> {
    pub(super) nodes: Vec<Node<'t>>,
    pub(super) root: usize,
    kind: ErrorKind,
}

/// A node, and the next one in the list that it is part of.
#[derive(Debug)]
pub(super) struct Node<'t> {
    pub(super) kind: NodeKind<'t>,
    pub(super) next: Option<usize>,
}

#[derive(Debug)]
pub(super) enum NodeKind<'t> {
    /// The first of a list of nodes that must all match.
    And(usize),
    /// The first of a list of nodes of which one must match.
    Or(usize),
    Not(usize),
    Compare(RawComparison<'t>),
    /// A value path: the attribute and the filter of its elements.
    Element(Cow<'t, str>, usize),
}

/// A comparison as it was written.
#[derive(Debug)]
pub struct RawComparison<'t> {
    /// The attribute path; inside a value path, the name of the sub-attribute.
    pub path: Cow<'t, str>,
    /// The operator, or `None` for `pr`.
    pub operator: Option<Operator>,
    /// What is compared with. [`Literal::Null`] for `pr`.
    pub literal: Literal<'t>,
    span: Range<usize>,
}

impl RawComparison<'_> {
    /// The byte range of the comparison in the text.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}

/// A literal as it was written.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal<'t> {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean(bool),
    /// A JSON number.
    Number(Number),
    /// A JSON string.
    Text(Cow<'t, str>),
}

impl<'t> Expression<'t> {
    /// Parses a filter.
    ///
    /// # Errors
    /// `invalidFilter`, with the place, what was expected and what was found.
    pub fn parse(text: &'t str) -> Result<Self> {
        if text.trim_ascii().is_empty() {
            return Err(Error::new(ErrorKind::InvalidFilter, "the filter is empty")
                .remedy("leave it out, or write one such as `userName eq \"ada@example.com\"`"));
        }
        let mut parser = Parser::new(text, ErrorKind::InvalidFilter)?;
        let root = parser.disjunction(0, false)?;
        match parser.lexer.next()? {
            (Token::End, _) => Ok(parser.finish(root)),
            (Token::Word(word), span) => {
                Err(parser.expected_operator(word, span, &["and", "or"], "`and` or `or`"))
            }
            (token, span) => Err(parser.unexpected(&token, span, "`and`, `or` or the end")),
        }
    }

    /// Shows every comparison to `rewrite`, with the attribute of the value path around it.
    pub fn for_each_comparison_mut(&mut self, mut rewrite: impl FnMut(&mut RawComparison<'t>, Option<&str>)) {
        let mut enclosing: Vec<Option<String>> = vec![None; self.nodes.len()];
        // A node comes after its parts, so one walk from the end reaches parents first.
        for index in (0..self.nodes.len()).rev() {
            let around = enclosing.get(index).cloned().flatten();
            let (mut child, inner) = match self.nodes.get(index).map(|node| &node.kind) {
                Some(NodeKind::And(first) | NodeKind::Or(first)) => (Some(*first), around),
                Some(NodeKind::Not(inner)) => (Some(*inner), around),
                Some(NodeKind::Element(path, inner)) => (Some(*inner), Some(path.clone().into_owned())),
                Some(NodeKind::Compare(_)) | None => {
                    if let Some(Node { kind: NodeKind::Compare(comparison), .. }) = self.nodes.get_mut(index)
                    {
                        rewrite(comparison, around.as_deref());
                    }
                    continue;
                }
            };
            let is_list = matches!(
                self.nodes.get(index).map(|node| &node.kind),
                Some(NodeKind::And(_) | NodeKind::Or(_))
            );
            while let Some(current) = child {
                if let Some(slot) = enclosing.get_mut(current) {
                    slot.clone_from(&inner);
                }
                child = self.nodes.get(current).and_then(|node| node.next).filter(|_| is_list);
            }
        }
    }

    /// Resolves every name against a resource type.
    ///
    /// # Errors
    /// `invalidFilter` when a name does not exist, an operator does not fit its attribute, or a literal does not fit.
    pub fn resolve(&self, resource_type: &ResourceType) -> Result<Filter> {
        Resolver { expression: self, resource_type, among_types: false, kind: self.kind }.resolve()
    }

    /// Resolves every name against one of several resource types that a query goes over: what this type lacks is an
    /// attribute without a value, whether another one has it or not (RFC 7644 §3.4.2.1).
    ///
    /// # Errors
    /// As for [`Self::resolve`], but for names that do not exist.
    pub fn resolve_among(&self, resource_type: &ResourceType) -> Result<Filter> {
        Resolver { expression: self, resource_type, among_types: true, kind: self.kind }.resolve()
    }
}

impl Filter {
    /// Parses a filter and resolves it.
    ///
    /// # Errors
    /// `invalidFilter`.
    pub fn parse(text: &str, resource_type: &ResourceType) -> Result<Self> {
        Expression::parse(text)?.resolve(resource_type)
    }
}

/// A parsed PATCH path (RFC 7644 §3.5.2): an attribute path, or a value path with or without a sub-attribute.
#[derive(Debug)]
pub struct PathExpression<'t> {
    name: &'t str,
    filter: Option<Expression<'t>>,
    sub: Option<&'t str>,
}

/// What a PATCH path stands for.
#[derive(Debug, Clone, PartialEq)]
pub enum ResolvedPath {
    /// An attribute, a sub-attribute or an extension.
    Plain(Named),
    /// The elements of a multi-valued attribute that match a filter, or a sub-attribute of each.
    Elements {
        /// The attribute.
        path: AttributePath,
        /// What the elements match.
        filter: Filter,
        /// The sub-attribute after the bracket.
        sub: Option<Arc<Attribute>>,
    },
}

impl<'t> PathExpression<'t> {
    /// Parses a path.
    ///
    /// # Errors
    /// `invalidPath`, or `invalidFilter` for what is in the brackets, with the place, what was expected and what was found.
    pub fn parse(text: &'t str) -> Result<Self> {
        if text.trim_ascii().is_empty() {
            return Err(Error::new(ErrorKind::InvalidPath, "the path is empty")
                .remedy("leave it out, or name an attribute such as `displayName`"));
        }
        let mut parser = Parser::new(text, ErrorKind::InvalidPath)?;
        let name = match parser.lexer.next()? {
            (Token::Word(word), _) => word,
            (token, span) => return Err(parser.unexpected(&token, span, "an attribute")),
        };
        let (token, span) = parser.lexer.next()?;
        match token {
            Token::End => return Ok(Self { name, filter: None, sub: None }),
            Token::OpenBracket => {}
            token => return Err(parser.unexpected(&token, span, "`[` or the end")),
        }
        // RFC 7644 table 9: what is wrong with the filter in a path is `invalidFilter`.
        parser.speak_of(ErrorKind::InvalidFilter);
        let root = parser.disjunction(1, true)?;
        parser.speak_of(ErrorKind::InvalidPath);
        parser.close(Token::CloseBracket, "`]`")?;
        let sub = match parser.lexer.dot() {
            true => Some(parser.word("a sub-attribute")?),
            false => None,
        };
        match parser.lexer.next()? {
            (Token::End, _) => Ok(Self { name, filter: Some(parser.finish(root)), sub }),
            (token, span) => Err(parser.unexpected(&token, span, "the end of the path")),
        }
    }

    /// Shows every comparison of the value path to `rewrite`, with the attribute around it.
    pub fn for_each_comparison_mut(&mut self, mut rewrite: impl FnMut(&mut RawComparison<'t>, Option<&str>)) {
        let name = self.name;
        if let Some(filter) = &mut self.filter {
            filter.for_each_comparison_mut(|comparison, enclosing| {
                rewrite(comparison, enclosing.or(Some(name)))
            });
        }
    }

    /// Resolves the path against a resource type.
    ///
    /// # Errors
    /// `invalidPath`; `invalidFilter` for a comparison of what does not exist, or that does not fit its attribute.
    pub fn resolve(&self, resource_type: &ResourceType) -> Result<ResolvedPath> {
        let Some(expression) = &self.filter else {
            return Named::parse(self.name, resource_type).map(ResolvedPath::Plain);
        };
        let path = AttributePath::parse(self.name, resource_type)?;
        let sub = match self.sub {
            Some(name) => {
                AttributePath::parse(&format!("{path}.{name}"), resource_type)?;
                path.attribute().sub_attribute(name).cloned()
            }
            None => None,
        };
        let kind = ErrorKind::InvalidFilter;
        let filter =
            Resolver { expression, resource_type, among_types: false, kind }.resolve_elements(&path)?;
        Ok(ResolvedPath::Elements { path, filter, sub })
    }
}

/// The operators that take a value.
const OPERATORS: [Operator; 9] = [
    Operator::Eq,
    Operator::Ne,
    Operator::Co,
    Operator::Sw,
    Operator::Ew,
    Operator::Gt,
    Operator::Ge,
    Operator::Lt,
    Operator::Le,
];

impl Operator {
    /// The operator of this name, in any case.
    fn parse(name: &str) -> Option<Self> {
        let [first, second] = name.as_bytes() else { return None };
        Some(match [first.to_ascii_lowercase(), second.to_ascii_lowercase()] {
            [b'e', b'q'] => Self::Eq,
            [b'n', b'e'] => Self::Ne,
            [b'c', b'o'] => Self::Co,
            [b's', b'w'] => Self::Sw,
            [b'e', b'w'] => Self::Ew,
            [b'g', b't'] => Self::Gt,
            [b'g', b'e'] => Self::Ge,
            [b'l', b't'] => Self::Lt,
            [b'l', b'e'] => Self::Le,
            _ => return None,
        })
    }
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    nodes: Vec<Node<'t>>,
    kind: ErrorKind,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, kind: ErrorKind) -> Result<Self> {
        if text.len() > MAX_LENGTH {
            return Err(
                Error::new(kind, format!("longer than {MAX_LENGTH} bytes")).remedy("ask for less at once")
            );
        }
        Ok(Self { lexer: Lexer::new(text, kind), nodes: Vec::with_capacity(8), kind })
    }

    /// Sets the kind of what is found wrong from here on.
    fn speak_of(&mut self, kind: ErrorKind) {
        self.kind = kind;
        self.lexer.speak_of(kind);
    }

    fn finish(self, root: usize) -> Expression<'t> {
        Expression { nodes: self.nodes, root, kind: self.kind }
    }

    fn push(&mut self, kind: NodeKind<'t>) -> usize {
        self.nodes.push(Node { kind, next: None });
        self.nodes.len() - 1
    }

    /// `a and b or c`: `and` binds tighter than `or` (RFC 7644 §3.4.2.2).
    fn disjunction(&mut self, depth: usize, in_element: bool) -> Result<usize> {
        self.list("or", NodeKind::Or, depth, |parser| parser.conjunction(depth, in_element))
    }

    fn conjunction(&mut self, depth: usize, in_element: bool) -> Result<usize> {
        self.list("and", NodeKind::And, depth, |parser| parser.factor(depth, in_element))
    }

    /// What it gives is not in a list yet, so that a group becomes one entry of the list around it.
    fn list(
        &mut self,
        separator: &str,
        node: fn(usize) -> NodeKind<'t>,
        depth: usize,
        mut part: impl FnMut(&mut Self) -> Result<usize>,
    ) -> Result<usize> {
        if depth > MAX_DEPTH {
            let here = self.lexer.position();
            let error = self.lexer.error(here..here, format_args!("nested deeper than {MAX_DEPTH} levels"));
            return Err(error.remedy("simplify the filter"));
        }
        let first = part(self)?;
        let mut last = first;
        while self.lexer.take_word(separator)? {
            let next = part(self)?;
            if let Some(node) = self.nodes.get_mut(last) {
                node.next = Some(next);
            }
            last = next;
        }
        Ok(if last == first { first } else { self.push(node(first)) })
    }

    /// A comparison, a value path, a group or `not (…)`.
    fn factor(&mut self, depth: usize, in_element: bool) -> Result<usize> {
        let (token, span) = self.lexer.next()?;
        match token {
            Token::Open => {
                let inner = self.disjunction(depth + 1, in_element)?;
                self.close(Token::Close, "`)`")?;
                Ok(inner)
            }
            Token::Word(word) if word.eq_ignore_ascii_case("not") => {
                match self.lexer.next()? {
                    (Token::Open, _) => {}
                    (token, span) => return Err(self.unexpected(&token, span, "`(` after `not`")),
                }
                let inner = self.disjunction(depth + 1, in_element)?;
                self.close(Token::Close, "`)`")?;
                Ok(self.push(NodeKind::Not(inner)))
            }
            Token::Word(word) => self.comparison(word, span, depth, in_element),
            token => Err(self.unexpected(&token, span, "an attribute, `not` or `(`")),
        }
    }

    fn comparison(
        &mut self,
        name: &'t str,
        span: Range<usize>,
        depth: usize,
        in_element: bool,
    ) -> Result<usize> {
        let start = span.start;
        let (token, span) = self.lexer.next()?;
        let operator = match token {
            Token::Word(word) => word,
            Token::OpenBracket if in_element => {
                let error = self.lexer.error(span, "a value path inside a value path");
                return Err(error.remedy("join the conditions with `and` in one pair of brackets"));
            }
            Token::OpenBracket => return self.element(name, depth),
            token => return Err(self.unexpected(&token, span, "an operator such as `eq` or `pr`")),
        };
        if operator.eq_ignore_ascii_case("pr") {
            return Ok(self.compare(name.into(), None, Literal::Null, start..span.end));
        }
        let Some(found) = Operator::parse(operator) else {
            let known: Vec<&str> = OPERATORS.iter().map(|operator| operator.name()).chain(["pr"]).collect();
            return Err(self.expected_operator(operator, span, &known, "an operator"));
        };
        let (literal, span) = self.literal()?;
        Ok(self.compare(name.into(), Some(found), literal, start..span.end))
    }

    /// What stands in brackets, and `.sub op value` after them: `emails[type eq "work"].value eq "x"` asks for one
    /// element that satisfies both.
    fn element(&mut self, name: &'t str, depth: usize) -> Result<usize> {
        let mut inner = self.disjunction(depth + 1, true)?;
        self.close(Token::CloseBracket, "`]`")?;
        if self.lexer.dot() {
            let here = self.lexer.position();
            let sub = self.word("a sub-attribute")?;
            let compared = self.comparison(sub, here..self.lexer.position(), depth, true)?;
            if let Some(node) = self.nodes.get_mut(inner) {
                node.next = Some(compared);
            }
            inner = self.push(NodeKind::And(inner));
        }
        Ok(self.push(NodeKind::Element(name.into(), inner)))
    }

    fn compare(
        &mut self,
        path: Cow<'t, str>,
        operator: Option<Operator>,
        literal: Literal<'t>,
        span: Range<usize>,
    ) -> usize {
        self.push(NodeKind::Compare(RawComparison { path, operator, literal, span }))
    }

    fn literal(&mut self) -> Result<(Literal<'t>, Range<usize>)> {
        let (token, span) = self.lexer.next()?;
        let literal = match token {
            Token::Text(text) => Literal::Text(text),
            Token::Word("true") => Literal::Boolean(true),
            Token::Word("false") => Literal::Boolean(false),
            Token::Word("null") => Literal::Null,
            Token::Word(word) => match serde_json::from_str(word) {
                Ok(number) => Literal::Number(number),
                Err(_) => {
                    let error = self.lexer.error(span, format_args!("`{}` is not a value", excerpt(word)));
                    let lower = word.to_ascii_lowercase();
                    return Err(match lower.as_str() {
                        "true" | "false" | "null" => error.remedy(format!("write `{lower}`")),
                        _ => error.remedy("put text in double quotes"),
                    });
                }
            },
            token => return Err(self.unexpected(&token, span, "a value such as `\"text\"`, `5` or `true`")),
        };
        Ok((literal, span))
    }

    fn word(&mut self, what: &str) -> Result<&'t str> {
        match self.lexer.next()? {
            (Token::Word(word), _) => Ok(word),
            (token, span) => Err(self.unexpected(&token, span, what)),
        }
    }

    fn close(&mut self, wanted: Token<'t>, what: &str) -> Result<()> {
        match self.lexer.next()? {
            (token, _) if token == wanted => Ok(()),
            (Token::Word(word), span) => {
                let what = format!("`and`, `or` or {what}");
                Err(self.expected_operator(word, span, &["and", "or"], &what))
            }
            (token, span) => Err(self.unexpected(&token, span, what)),
        }
    }

    fn expected_operator(&self, found: &str, span: Range<usize>, known: &[&str], what: &str) -> Error {
        let synonym = match found {
            "=" | "==" | "equals" | "is" => Some("eq"),
            "!=" | "<>" => Some("ne"),
            ">" => Some("gt"),
            ">=" => Some("ge"),
            "<" => Some("lt"),
            "<=" => Some("le"),
            "&&" | "&" => Some("and"),
            "||" | "|" => Some("or"),
            "contains" => Some("co"),
            "startsWith" => Some("sw"),
            "endsWith" => Some("ew"),
            _ => nearest(found, known.iter().copied()),
        };
        let error = self.lexer.error(span, format_args!("expected {what}, found `{}`", excerpt(found)));
        match synonym.filter(|synonym| known.contains(synonym)) {
            Some(synonym) => error.remedy(format!("did you mean `{synonym}`?")),
            None => error.remedy(format!("use `{}`", known.join("`, `"))),
        }
    }

    fn unexpected(&self, token: &Token<'_>, span: Range<usize>, wanted: &str) -> Error {
        let found = match token {
            Token::Open => "`(`".to_owned(),
            Token::Close => "`)`".to_owned(),
            Token::OpenBracket => "`[`".to_owned(),
            Token::CloseBracket => "`]`".to_owned(),
            Token::Word(word) => format!("`{}`", excerpt(word)),
            Token::Text(_) => "a string".to_owned(),
            Token::End => "the end".to_owned(),
        };
        self.lexer.error(span, format_args!("expected {wanted}, found {found}"))
    }
}
