//! Academic degrees, as they are written or in their usual spelling.
//!
//! Taking a degree out of a text that holds other things is a transformation of the mapping, not a rule.

use super::{CodeDocumentation, Documentation, Event, Example, Rule, Setting, short};
use crate::draft::Draft;
use crate::file::Table;
use crate::finding::{Code, Finding, Mode};
use crate::mapping::Field;
use crate::mapping::transform::is_degrees;
use crate::value::degree::canonical;

/// `[degree]`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Degree {
    mode: Mode,
    canonical: bool,
}

impl Degree {
    pub(crate) fn off() -> Self {
        Self { mode: Mode::Off, canonical: false }
    }

    pub(crate) fn read(table: &Table<'_, '_>) -> Self {
        Self { mode: table.mode(Mode::Warn), canonical: table.flag("canonical").unwrap_or(false) }
    }
}

impl Rule for Degree {
    fn normalise<'a>(&'a self, draft: &mut Draft<'a>) {
        if let (true, Some(written)) = (self.canonical, &mut draft.person.academic_degree) {
            *written = canonical(written);
            draft.trace.step(Field::AcademicDegree.name(), "[degree] canonical", written);
        }
    }

    fn check(&self, draft: &Draft<'_>, findings: &mut Vec<Finding>) {
        let (true, Some(written)) = (self.canonical, &draft.person.academic_degree) else { return };
        if !is_degrees(written) {
            let explanation = format!("`{}` is no academic degree that is known", short(written));
            let remedy = "check its spelling; it is kept as it is written";
            let (code, field) = (Code::DegreeUnknown, Field::AcademicDegree);
            findings.extend(draft.finding(code, self.mode, field, explanation, remedy));
        }
    }
}

pub(super) const DOCUMENTATION: Documentation = Documentation {
    section: "degree",
    summary: "Academic degrees are kept as they are written, or in their usual spelling: `prof dr med` becomes `Prof. Dr. \
              med.`",
    default_mode: Mode::Warn,
    settings: &[Setting {
        key: "canonical",
        values: "`true` or `false`",
        default: "`false`",
        meaning: "whether degrees are put into their usual spelling. Without it nothing is looked at",
    }],
    codes: &[CodeDocumentation {
        code: Code::DegreeUnknown,
        meaning: "the text is no degree that is known; with `warn`, this is a note",
        remedy: "check its spelling",
        example: Example {
            policy: "[mapping]\nacademic_degree = \"title\"\n[degree]\nmode = \"enforce\"\ncanonical = true\n",
            event: Event::User(r#"{"userName": "ada", "title": "Head of Sales"}"#),
        },
    }],
};
