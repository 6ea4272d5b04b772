//! At most one user group for each person, and no groups in groups.
//!
//! Memberships are not in a User, so nothing here judges one: that somebody is in another group already shows only when
//! the membership is written, under the store's own lock. Here are the settings for it, and the words.

use super::{CodeDocumentation, Documentation, Event, Example, Rule, Setting, short};
use crate::draft::Draft;
use crate::file::Table;
use crate::finding::{Code, Finding, Mode};
use crate::mapping::{Field, Origin};
use scim_core::person::Pick;

/// `[group]`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Group {
    mode: Mode,
    on_conflict: OnConflict,
}

/// What happens when a person comes into a second group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum OnConflict {
    /// It is refused.
    #[default]
    Refuse,
    /// The group that the person joined last is the user group.
    Latest,
    /// The group that the person has been in longest is the user group.
    First,
}

/// What whoever writes memberships needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupPolicy {
    /// What is done about what is against the rule.
    pub mode: Mode,
    /// What happens when a person comes into a second group.
    pub on_conflict: OnConflict,
    /// Whether the user group comes from memberships, and not from an attribute.
    pub from_memberships: bool,
}

const CHOICES: [(&str, OnConflict); 3] =
    [("refuse", OnConflict::Refuse), ("latest", OnConflict::Latest), ("first", OnConflict::First)];

impl OnConflict {
    /// The name in policy files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Latest => "latest",
            Self::First => "first",
        }
    }

    /// Which of several groups counts, where there are several after all: because they were there before the rule, or
    /// because the rule only warns.
    fn pick(self) -> Pick {
        match self {
            Self::Refuse | Self::First => Pick::First,
            Self::Latest => Pick::Latest,
        }
    }
}

impl GroupPolicy {
    /// Whether the store must refuse a second membership.
    pub fn is_exclusive(&self) -> bool {
        self.mode == Mode::Enforce && self.is_judged()
    }

    /// Whether a second membership is against the rule.
    fn is_judged(&self) -> bool {
        self.mode != Mode::Off && self.from_memberships && self.on_conflict == OnConflict::Refuse
    }
}

impl Group {
    pub(crate) fn off() -> Self {
        Self { mode: Mode::Off, ..Self::default() }
    }

    pub(crate) fn read(table: &Table<'_, '_>) -> Self {
        let on_conflict = table.word("on_conflict", &CHOICES).unwrap_or_default();
        Self { mode: table.mode(Mode::Enforce), on_conflict }
    }

    pub(crate) fn policy(&self, origin: &Origin) -> GroupPolicy {
        let from_memberships = matches!(origin, Origin::Memberships);
        GroupPolicy { mode: self.mode, on_conflict: self.on_conflict, from_memberships }
    }
}

impl GroupPolicy {
    /// The finding for somebody who is to join `group` and is in `other` already.
    pub(crate) fn second(&self, person: &str, group: &str, other: &str) -> Option<Finding> {
        let mode = if self.is_judged() { self.mode } else { Mode::Off };
        let explanation = format!(
            "`{}` is in the group `{}` already and cannot join `{}` too",
            short(person),
            short(other),
            short(group)
        );
        let remedy = "assign each person to one group; remove them from the other one first";
        Finding::new(Code::GroupSecond, mode, "members", person, explanation, remedy)
    }

    /// The finding for a group that is to be a member of another.
    pub(crate) fn nested(&self, group: &str, member: &str) -> Option<Finding> {
        let explanation =
            format!("`{}` is a group and cannot be a member of `{}`", short(member), short(group));
        let remedy = "assign the people in it, not the group";
        Finding::new(Code::GroupNested, self.mode, "members", member, explanation, remedy)
    }
}

impl Rule for Group {
    fn normalise<'a>(&'a self, draft: &mut Draft<'a>) {
        if matches!(draft.mapping.recipe(Field::UserGroup).origin, Origin::Memberships) {
            draft.pick = Some(self.on_conflict.pick());
        }
    }
}

pub(super) const DOCUMENTATION: Documentation = Documentation {
    section: "group",
    summary: "A person belongs to at most one user group, and groups have no groups as members. Where `[mapping] \
              user_group` names an attribute, memberships do not count and only nested groups are against the rule. A person \
              who is not active cannot join a second group either, since coming back does not look at groups.",
    default_mode: Mode::Enforce,
    settings: &[Setting {
        key: "on_conflict",
        values: "`refuse`, `latest` or `first`",
        default: "`refuse`",
        meaning: "what happens when a person joins a second group: it is refused, or the group joined last or first is \
                  the user group",
    }],
    codes: &[
        CodeDocumentation {
            code: Code::GroupSecond,
            meaning: "the person is in another group already, and `on_conflict` is `refuse`",
            remedy: "assign each person to one group; remove them from the other one first",
            example: Example {
                policy: "[group]\non_conflict = \"refuse\"\n",
                event: Event::Write(
                    "`ada@example.com`, who is in `Sales`, is added to `Support`",
                    |policy| policy.second_group("ada@example.com", "Support", "Sales"),
                ),
            },
        },
        CodeDocumentation {
            code: Code::GroupNested,
            meaning: "a group is to be a member of a group",
            remedy: "assign the people in it, not the group",
            example: Example {
                policy: "[group]\n",
                event: Event::Write("the group `Berlin` is added to `Sales`", |policy| {
                    policy.nested_group("Sales", "Berlin")
                }),
            },
        },
    ],
};
