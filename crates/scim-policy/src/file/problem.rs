//! What is wrong with a policy file: a place in it, an explanation and a remedy, for whoever wrote the file.

use std::fmt;

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, counted from 1.
    pub line: usize,
    /// The column, counted in characters from 1.
    pub column: usize,
    /// What is wrong: lower-case, without a full stop.
    pub explanation: String,
    /// What to do about it; empty where that goes without saying.
    pub remedy: String,
}

/// Everything that is wrong with a policy file, in the order of the file. There is at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyErrors {
    problems: Vec<Problem>,
}

/// Most problems that are told at once. Whoever has more has the wrong file.
const MOST: usize = 50;

impl Problem {
    /// The problem as compilers write it: `policy.toml:12:8: …`.
    pub fn in_file(&self, name: &str) -> String {
        format!("{name}:{}:{}: {}", self.line, self.column, Words(self))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, Words(self))
    }
}

/// What is wrong and what to do about it, without the place.
struct Words<'p>(&'p Problem);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.explanation)?;
        match self.0.remedy.as_str() {
            "" => Ok(()),
            remedy => write!(f, "; {remedy}"),
        }
    }
}

impl PolicyErrors {
    /// The problems in the order of the file, if there are any.
    pub(crate) fn from_problems(mut problems: Vec<Problem>) -> Option<Self> {
        problems.sort_by_key(|problem| (problem.line, problem.column));
        problems.dedup();
        problems.truncate(MOST);
        (!problems.is_empty()).then_some(Self { problems })
    }

    /// The problems, in the order of the file.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// One line for each problem, as compilers write them: `policy.toml:12:8: …`.
    pub fn in_file(&self, name: &str) -> String {
        self.problems.iter().map(|problem| problem.in_file(name)).collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Display for PolicyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyErrors {}
