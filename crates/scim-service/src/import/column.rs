//! Which attribute of a User each column of a file is, and how a cell becomes its value.
//!
//! A cell holds one text. So a column is an attribute with one value, a part of one, or one element of a list that is named
//! by what it is (`emails[type eq "work"].value`). It refuses to guess: a column that is not understood is an error, with
//! the nearest name that is.

use std::sync::Arc;

use scim_core::filter::{Comparison, Filter, Operand, Operator, PathExpression, ResolvedPath, Subject};
use scim_core::path::{AttributePath, Named};
use scim_core::schema::{Attribute, Mutability, ResourceType, Returned, Type};
use scim_core::text::{excerpt, fold, nearest};
use scim_core::{Error, ErrorKind, Result};
use scim_policy::{Field, Policy};
use serde_json::{Map, Value, json};

use super::Headers;

/// The columns of a file, in their order.
#[derive(Debug)]
pub(super) struct Columns {
    columns: Vec<Option<Column>>,
    user_name: Option<usize>,
    /// The column that stands in where there is none of userNames.
    address: Option<usize>,
}

/// Where a cell goes.
#[derive(Debug, Clone, PartialEq)]
struct Column {
    path: AttributePath,
    /// Of which element of a list: the one that has this text under this name.
    element: Option<(Arc<Attribute>, String)>,
}

impl Columns {
    /// Understands the names of columns.
    ///
    /// # Errors
    /// `InvalidValue` with every name that is not understood.
    pub(super) fn read(headers: &Headers, resource_type: &ResourceType, policy: &Policy) -> Result<Self> {
        let mut problems = Vec::new();
        let mut columns: Vec<Option<Column>> = Vec::with_capacity(headers.names.len());
        let mut address = None;
        for (position, written) in headers.names.iter().enumerate() {
            let written = written.trim();
            let is = |name: &str| fold(name) == fold(written);
            if headers.ignored.iter().any(|ignored| is(ignored)) {
                columns.push(None);
                continue;
            }
            let renamed = headers.renamed.iter().find(|(from, _)| is(from)).map(|(_, to)| to.as_str());
            let problem = match column(renamed.unwrap_or(written), resource_type, policy) {
                Ok(column) => match columns.iter().position(|other| other.as_ref() == Some(&column)) {
                    None => {
                        let is_address = column.path.attribute().name() == "emails"
                            && column.path.urn().is_none()
                            && column.path.leaf().name() == "value";
                        if is_address {
                            address = address.or(Some(position));
                        }
                        columns.push(Some(column));
                        continue;
                    }
                    Some(other) => format!("is the same as column {}; leave one of the two out", other + 1),
                },
                Err(problem) => problem,
            };
            columns.push(None);
            problems.push(format!("column {} `{}` {problem}", position + 1, excerpt(written)));
        }
        let named = |wanted: &str| {
            let is = |name: &String| fold(name.trim()) == fold(wanted);
            headers.names.iter().any(is) || headers.renamed.iter().any(|(_, to)| to == wanted)
        };
        for name in headers.ignored.iter().chain(headers.renamed.iter().map(|(from, _)| from)) {
            if !named(name) {
                problems.push(format!("there is no column `{}`", excerpt(name)));
            }
        }
        let is_user_name = |column: &Option<Column>| {
            column.as_ref().is_some_and(|column| {
                column.path.urn().is_none() && column.path.attribute().name() == "userName"
            })
        };
        let user_name = columns.iter().position(is_user_name);
        if problems.is_empty() && user_name.or(address).is_none() {
            problems.push(
                "there is no column `userName`, and none of addresses that could be taken for it".into(),
            );
        }
        match problems.is_empty() {
            true => Ok(Self { columns, user_name, address }),
            false => Err(Error::new(ErrorKind::InvalidValue, problems.join("\n"))),
        }
    }

    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    /// Refuses what no database can hold, as reading JSON does.
    ///
    /// # Errors
    /// `InvalidValue` when a cell that is looked at holds the character NUL.
    pub(super) fn check(&self, cells: &[&str]) -> Result<()> {
        let mut looked_at =
            self.columns.iter().zip(cells).filter_map(|(column, cell)| Some((column.as_ref()?, cell)));
        match looked_at.find(|(_, cell)| cell.contains('\0')) {
            Some((column, _)) => {
                let error =
                    Error::new(ErrorKind::InvalidValue, "the cell holds the character NUL (`\\u0000`)");
                Err(error.at(&column.path).remedy("take it out"))
            }
            None => Ok(()),
        }
    }

    /// By what a row is known.
    pub(super) fn user_name<'c>(&self, cells: &[&'c str]) -> &'c str {
        let cell = |position: Option<usize>| cells.get(position?).copied();
        cell(self.user_name.or(self.address)).unwrap_or_default().trim()
    }

    /// Puts the cells where they belong. An empty one takes the value away.
    ///
    /// # Errors
    /// `InvalidValue` when a cell is not what its attribute has.
    pub(super) fn write(&self, cells: &[&str], user: &mut Map<String, Value>) -> Result<()> {
        for (column, cell) in self.columns.iter().zip(cells) {
            let Some(column) = column else { continue };
            column.write(cell.trim(), user)?;
        }
        Ok(())
    }
}

impl Column {
    fn write(&self, cell: &str, user: &mut Map<String, Value>) -> Result<()> {
        let value = if cell.is_empty() { None } else { Some(self.value(cell)?) };
        let name = self.path.attribute().name();
        // Who says nothing of `active` does not let anybody in or out.
        if value.is_none() && name == "active" && self.path.urn().is_none() {
            return Ok(());
        }
        let Some(urn) = self.path.urn() else {
            self.put(user, value);
            return Ok(());
        };
        let mut extension = match user.get(urn) {
            Some(Value::Object(members)) => members.clone(),
            _ => Map::new(),
        };
        self.put(&mut extension, value);
        match extension.is_empty() {
            true => user.shift_remove(urn),
            false => user.insert(urn.to_owned(), Value::Object(extension)),
        };
        Ok(())
    }

    fn put(&self, holder: &mut Map<String, Value>, value: Option<Value>) {
        let name = self.path.attribute().name();
        let new = match (&self.element, self.path.sub()) {
            (Some((by, text)), Some(sub)) => {
                let list = match holder.get(name) {
                    Some(Value::Array(list)) => list.clone(),
                    _ => Vec::new(),
                };
                Some(Value::Array(elements(list, by, text, sub, value))).filter(|list| *list != json!([]))
            }
            (_, Some(sub)) => {
                let mut whole = match holder.get(name) {
                    Some(Value::Object(whole)) => whole.clone(),
                    _ => Map::new(),
                };
                set(&mut whole, sub.name(), value);
                Some(Value::Object(whole)).filter(|whole| *whole != json!({}))
            }
            (_, None) => value,
        };
        set(holder, name, new);
    }

    fn value(&self, cell: &str) -> Result<Value> {
        let leaf = self.path.leaf();
        let wrong = |expected: &str| {
            let words = format!("`{}` is no {expected}", excerpt(cell));
            let error = Error::new(ErrorKind::InvalidValue, words).at(&self.path);
            error.remedy(match leaf.kind() {
                Type::Boolean => "write `true` or `false`",
                _ => "write digits, without a separator of thousands",
            })
        };
        Ok(match leaf.kind() {
            Type::Boolean => match fold(cell).as_ref() {
                "true" | "yes" | "1" => true.into(),
                "false" | "no" | "0" => false.into(),
                _ => return Err(wrong("truth value")),
            },
            Type::Integer => cell.parse::<i64>().map_err(|_| wrong("whole number"))?.into(),
            Type::Decimal => {
                let number: f64 = cell.parse().map_err(|_| wrong("number"))?;
                if number.is_finite() { number.into() } else { return Err(wrong("number")) }
            }
            Type::String | Type::DateTime | Type::Binary | Type::Reference | Type::Complex => cell.into(),
        })
    }
}

/// The list with this value in the element that has `text` under the name `by`.
fn elements(
    mut list: Vec<Value>,
    by: &Attribute,
    text: &str,
    sub: &Attribute,
    value: Option<Value>,
) -> Vec<Value> {
    let is_it = |element: &Value| {
        element.get(by.name()).and_then(Value::as_str).is_some_and(|found| fold(found) == fold(text))
    };
    let found = list.iter().position(is_it);
    match (found.and_then(|position| list.get_mut(position)).and_then(Value::as_object_mut), value) {
        (Some(element), value) => {
            set(element, sub.name(), value);
            if element.keys().all(|name| [by.name(), "primary"].contains(&name.as_str())) {
                list.remove(found.unwrap_or_default());
            }
        }
        (None, Some(value)) => list.push(json!({ by.name(): text, sub.name(): value })),
        (None, None) => {}
    }
    list
}

fn set(members: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    match value {
        Some(value) => members.insert(name.to_owned(), value),
        None => members.shift_remove(name),
    };
}

/// The attribute of this name, or what is wrong with it and what to do.
fn column(name: &str, resource_type: &ResourceType, policy: &Policy) -> std::result::Result<Column, String> {
    if name.is_empty() {
        return Err("has no name; name an attribute, or leave the column out".to_owned());
    }
    if is_urn(name) || name.contains(['.', '[']) {
        return resolve(name, resource_type);
    }
    if let Some(attribute) = resource_type.attribute(name)
        && !(attribute.kind() == Type::Complex || attribute.is_multi_valued())
    {
        return resolve(name, resource_type);
    }
    let part = |part: &&Arc<Attribute>| part.name().eq_ignore_ascii_case(name);
    if let Some(part) =
        resource_type.attribute("name").and_then(|whole| whole.sub_attributes().iter().find(part))
    {
        return resolve(&format!("name.{}", part.name()), resource_type);
    }
    // A field of the person, however its words are joined: `First Name`, `first-name`.
    let field = fold(name).replace([' ', '-'], "_");
    if let Some(paths) = policy.paths(&field) {
        return match paths.first() {
            Some(path) => resolve(path, resource_type),
            None if field == Field::UserGroup.name() => Err(
                "comes from memberships, which no file has; name an attribute in `[mapping] user_group`, or leave the \
                 column out"
                    .to_owned(),
            ),
            None => Err(format!("comes from nowhere; name an attribute in `[mapping] {field}` of the policy")),
        };
    }
    let schemas = resource_type.extensions().iter().map(|extension| extension.schema());
    let mut of_extensions = schemas.filter_map(|schema| {
        let attribute = schema.attributes().iter().find(part)?;
        Some(format!("{}:{}", schema.id(), attribute.name()))
    });
    match (of_extensions.next(), of_extensions.next()) {
        (Some(path), None) => resolve(&path, resource_type),
        (Some(one), Some(other)) => Err(format!("is `{one}` or `{other}`; write which")),
        (None, _) => match resource_type.attribute(name) {
            Some(_) => resolve(name, resource_type),
            None => Err(unknown(name, resource_type, policy)),
        },
    }
}

fn unknown(name: &str, resource_type: &ResourceType, policy: &Policy) -> String {
    let of_core = resource_type.attributes().map(|attribute| attribute.name());
    let whole = resource_type.attribute("name");
    let parts = whole.iter().flat_map(|whole| whole.sub_attributes()).map(|part| part.name());
    let schemas = resource_type.extensions().iter().map(|extension| extension.schema());
    let of_extensions = schemas.flat_map(|schema| schema.attributes()).map(|attribute| attribute.name());
    let fields = Field::ALL.map(Field::name).into_iter().chain(policy.own_fields());
    let known = of_core.chain(parts).chain(of_extensions).chain(fields);
    match nearest(name, known) {
        Some(near) => format!("is no attribute of a User; did you mean `{near}`?"),
        None => {
            let shown = excerpt(name);
            format!(
                "is no attribute of a User; say which with `--column '{shown}=PATH'`, or leave it out with `--ignore \
                 '{shown}'`"
            )
        }
    }
}

fn resolve(text: &str, resource_type: &ResourceType) -> std::result::Result<Column, String> {
    let told = |error: Error| match error.advice() {
        Some(advice) => format!("is no column: {}; {advice}", error.explanation()),
        None => format!("is no column: {}", error.explanation()),
    };
    let resolved = PathExpression::parse(text).and_then(|path| path.resolve(resource_type)).map_err(told)?;
    let column = match resolved {
        ResolvedPath::Plain(Named::Extension(schema)) => {
            return Err(format!("is the schema `{}`; name one of its attributes", schema.id()));
        }
        ResolvedPath::Plain(Named::Attribute(path)) if path.attribute().is_multi_valued() => {
            let name = path.attribute().name();
            let typed = path.attribute().sub_attribute("type").is_some();
            return Err(match typed {
                true => format!("is a list; name one element of it: `{name}[type eq \"work\"].value`"),
                false => "is a list, which no cell can hold; leave the column out".to_owned(),
            });
        }
        ResolvedPath::Plain(Named::Attribute(path)) => Column { path, element: None },
        ResolvedPath::Elements { path, filter, sub } => {
            let sub = sub.or_else(|| path.attribute().sub_attribute("value").cloned());
            match (element(&filter), sub) {
                (Some(element), Some(sub)) if path.attribute().is_multi_valued() => {
                    Column { path: path.with_sub(sub), element: Some(element) }
                }
                _ => {
                    return Err(
                        "names no single element; use the form `emails[type eq \"work\"].value`".to_owned()
                    );
                }
            }
        }
    };
    let (whole, leaf) = (column.path.attribute(), column.path.leaf());
    if leaf.kind() == Type::Complex {
        let example = leaf.sub_attributes().first().map_or("value", |sub| sub.name());
        return Err(format!("is an object; name one of its parts, as in `{}.{example}`", column.path));
    }
    if [whole, leaf].iter().any(|attribute| attribute.mutability() == Mutability::ReadOnly) {
        return Err("is set by the server; leave the column out".to_owned());
    }
    if [whole, leaf].iter().any(|attribute| attribute.returned() == Returned::Never) {
        return Err("is a secret, which no file should hold; leave the column out".to_owned());
    }
    Ok(column)
}

/// The element that a filter of the form `type eq "work"` names.
fn element(filter: &Filter) -> Option<(Arc<Attribute>, String)> {
    match filter {
        Filter::Compare(Comparison {
            subject: Subject::Attribute(path),
            operator: Operator::Eq,
            operand: Operand::Text(text),
        }) => Some((Arc::clone(path.leaf()), text.sent().to_owned())),
        _ => None,
    }
}

fn is_urn(name: &str) -> bool {
    name.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("urn:"))
}
