use proptest::prelude::*;

use super::table::{Place, described, lines};
use super::*;

#[test]
fn degrees_get_their_usual_spelling() {
    fn check(text: &str, expected: &str) {
        assert_eq!(canonical(text), expected, "{text:?}");
        assert_eq!(canonical(expected), expected, "{text:?}, again");
    }
    for (text, expected) in [
        ("dr", "Dr."),
        ("Dr", "Dr."),
        ("DR.", "Dr."),
        ("Dr. ", "Dr."),
        ("Doktor", "Dr."),
        ("prof dr med", "Prof. Dr. med."),
        ("Prof.Dr.med.", "Prof. Dr. med."),
        ("PROF. DR. MED. DENT.", "Prof. Dr. med. dent."),
        ("Dr Dr h c", "Dr. Dr. h.c."),
        ("prof. dr. dr. h. c. mult.", "Prof. Dr. Dr. h.c. mult."),
        ("dr ing", "Dr.-Ing."),
        ("Dr. Ing.", "Dr.-Ing."),
        ("Dr.-Ing. habil", "Dr.-Ing. habil."),
        ("dr jur", "Dr. iur."),
        ("Dr. Phil", "Dr. phil."),
        ("dr rer nat", "Dr. rer. nat."),
        ("dipl ing", "Dipl.-Ing."),
        ("Dipl.Ing.", "Dipl.-Ing."),
        ("DIPL.-ING. (FH)", "Dipl.-Ing. (FH)"),
        ("Diplom-Ingenieur", "Dipl.-Ing."),
        ("Dipl Wirtsch Ing", "Dipl.-Wirt.-Ing."),
        ("dipl.-kfm", "Dipl.-Kfm."),
        ("Dipl.-Paed.", "Dipl.-Päd."),
        ("phd", "PhD"),
        ("Ph.D.", "PhD"),
        ("PH. D.", "PhD"),
        ("MSc", "MSc"),
        ("M.Sc.", "MSc"),
        ("m. sc.", "MSc"),
        ("B.Sc", "BSc"),
        ("BA", "BA"),
        ("b.a.", "BA"),
        ("m.a.", "MA"),
        ("mba", "MBA"),
        ("LL.M.", "LLM"),
        ("Dr., PhD", "Dr., PhD"),
        ("Dr. med., MBA", "Dr. med., MBA"),
        ("mag", "Mag."),
        ("Mag. FH", "Mag. (FH)"),
        ("Mag.a", "Mag.a"),
        ("ing", "Ing."),
        ("doc. RNDr. CSc.", "doc. RNDr. CSc."),
        ("judr", "JUDr."),
        ("Dott", "Dott."),
        ("dott.ssa", "Dott.ssa"),
        ("lic", "Lic."),
        ("dra", "Dra."),
        ("drs", "drs."),
        ("ir", "ir."),
        ("prof. dr. ir.", "Prof. Dr. ir."),
        ("mr. dr.", "mr. dr."),
        ("dr hab", "dr hab."),
        ("mgr inż", "mgr inż."),
        ("univ prof", "Univ.-Prof."),
        ("PD Dr", "PD Dr."),
        // What is not known stays, whole.
        ("", ""),
        ("  ", ""),
        ("Mr. Dr.", "Mr. Dr."),
        ("mr.", "mr."),
        ("Herr dr", "Herr dr"),
        ("dr. Ada", "dr. Ada"),
        (" Magister  Artium ", "Magister  Artium"),
        ("Dr. (Univ. Wien)", "Dr. (Univ. Wien)"),
        ("dr/phd", "dr/phd"),
        ("dr,", "dr,"),
        ("...", "..."),
        ("d.r.", "d.r."),
        ("Dr.\u{0}", "Dr.\u{0}"),
    ] {
        check(text, expected);
    }
    let long = "dr ".repeat(10_000);
    assert_eq!(canonical(&long), long.trim());
}

#[test]
fn degrees_are_taken_out_but_names_are_not() {
    fn check(text: &str, degree: &str, rest: &str) {
        let (taken, left) = split(text);
        assert_eq!((taken.as_deref().unwrap_or_default(), left.as_str()), (degree, rest), "{text:?}");
        assert_eq!(split(&left), (None, left.clone()), "{text:?}, again");
        assert_eq!(canonical(degree), degree);
    }
    for (text, degree, rest) in [
        // A prefix.
        ("Dr.", "Dr.", ""),
        ("Herr Dr. med.", "Dr. med.", "Herr"),
        ("Frau Prof. Dr.", "Prof. Dr.", "Frau"),
        ("Hr. Dipl.-Ing.", "Dipl.-Ing.", "Hr."),
        ("Mr. Dr.", "Dr.", "Mr."),
        ("Señor Dr.", "Dr.", "Señor"),
        ("Sen\u{303}or Dr.", "Dr.", "Sen\u{303}or"),
        ("prof. mr. dr.", "prof. mr. dr.", ""),
        ("Mr.", "", "Mr."),
        ("Ms", "", "Ms"),
        ("Herr", "", "Herr"),
        ("M.Sc.", "MSc", ""),
        ("Dr. M.Sc.", "Dr. MSc", ""),
        ("Ing.", "Ing.", ""),
        ("Sir", "", "Sir"),
        ("", "", ""),
        // Before a name.
        ("Dr. Ada Lovelace", "Dr.", "Ada Lovelace"),
        ("Dr Ada Lovelace", "Dr.", "Ada Lovelace"),
        ("DR. ADA LOVELACE", "Dr.", "ADA LOVELACE"),
        ("Frau Dr. Ada Lovelace", "Dr.", "Frau Ada Lovelace"),
        ("Prof. Dr.-Ing. Ada Lovelace", "Prof. Dr.-Ing.", "Ada Lovelace"),
        ("Prof. Dr. Dr. h.c. mult. Ada Lovelace", "Prof. Dr. Dr. h.c. mult.", "Ada Lovelace"),
        ("Dr. rer. nat. Ada Lovelace", "Dr. rer. nat.", "Ada Lovelace"),
        ("Dr.med. Ada Lovelace", "Dr. med.", "Ada Lovelace"),
        ("Dipl.-Ing. (FH) Ada Lovelace", "Dipl.-Ing. (FH)", "Ada Lovelace"),
        ("PD Dr. Ada Lovelace", "PD Dr.", "Ada Lovelace"),
        ("DI Dr. Ada Lovelace", "DI Dr.", "Ada Lovelace"),
        ("DI Dr Ada Lovelace", "", "DI Dr Ada Lovelace"),
        ("Mag. Ada Lovelace", "Mag.", "Ada Lovelace"),
        ("Ing. Ada Lovelace", "Ing.", "Ada Lovelace"),
        ("mgr inż. Ada Lovelace", "mgr inż.", "Ada Lovelace"),
        ("mgr Ada Lovelace", "Mgr.", "Ada Lovelace"),
        ("drs. Ada Lovelace", "drs.", "Ada Lovelace"),
        ("Dott.ssa Ada Lovelace", "Dott.ssa", "Ada Lovelace"),
        ("Dra. Ada Lovelace", "Dra.", "Ada Lovelace"),
        ("Lovelace, Dr. Ada", "Dr.", "Lovelace, Ada"),
        ("Lovelace, Ada, Dr.", "Dr.", "Lovelace, Ada"),
        ("Dr. Lovelace, Ada", "Dr.", "Lovelace, Ada"),
        ("Dr.  Ada   Lovelace", "Dr.", "Ada Lovelace"),
        ("Dr. Ada-Grace O'Hopper", "Dr.", "Ada-Grace O'Hopper"),
        ("Dr. (Univ.) Ada Lovelace", "Dr.", "(Univ.) Ada Lovelace"),
        ("Dr. (Ada) Lovelace", "Dr.", "(Ada) Lovelace"),
        ("(Dr.) Ada Lovelace", "Dr.", "Ada Lovelace"),
        // After a name.
        ("Ada Lovelace (PhD)", "PhD", "Ada Lovelace"),
        ("Ada Lovelace (MSc, PhD)", "MSc, PhD", "Ada Lovelace"),
        ("Ada Lovelace (PhD", "PhD", "Ada Lovelace"),
        ("Ada Lovelace (Countess, PhD)", "", "Ada Lovelace (Countess, PhD)"),
        ("(Dr. Ada) Lovelace", "", "(Dr. Ada) Lovelace"),
        ("Ada Lovelace, PhD", "PhD", "Ada Lovelace"),
        ("Ada Lovelace PhD", "PhD", "Ada Lovelace"),
        ("Ada Lovelace, Ph.D.", "PhD", "Ada Lovelace"),
        ("Dr. Ada Lovelace, PhD", "Dr., PhD", "Ada Lovelace"),
        ("Ada Lovelace, M.Sc., PhD", "MSc, PhD", "Ada Lovelace"),
        ("RNDr. Ada Lovelace, CSc.", "RNDr., CSc.", "Ada Lovelace"),
        ("Ada Lovelace, MBA", "MBA", "Ada Lovelace"),
        ("Ada Lovelace, MA", "MA", "Ada Lovelace"),
        ("Dr. Ada Lovelace, M.A.", "Dr., MA", "Ada Lovelace"),
        ("Ada Lovelace LL.M.", "LLM", "Ada Lovelace"),
        ("Dr. Ada Lovelace, M A", "Dr.", "Ada Lovelace, M A"),
        // Names.
        ("Ada Lovelace", "", "Ada Lovelace"),
        ("Lovelace, Ada", "", "Lovelace, Ada"),
        ("Dr. Phil Collins", "Dr.", "Phil Collins"),
        ("Dr. Med Hopper", "Dr.", "Med Hopper"),
        ("Dr. H.C. Hopper", "Dr.", "H.C. Hopper"),
        ("Dr Ing Chen", "Dr.", "Ing Chen"),
        ("Ing Chen", "", "Ing Chen"),
        ("Mag Hopper", "", "Mag Hopper"),
        ("Ma. Teresa Hopper", "", "Ma. Teresa Hopper"),
        ("Ma Lin", "", "Ma Lin"),
        ("Ma, Lin", "", "Ma, Lin"),
        ("Lin Ma", "", "Lin Ma"),
        ("LIN MA", "", "LIN MA"),
        ("Ada Mba", "", "Ada Mba"),
        ("Ada MBA", "", "Ada MBA"),
        ("Hopper, MA", "", "Hopper, MA"),
        ("LOVELACE HOPPER, MA", "", "LOVELACE HOPPER, MA"),
        ("Hopper, M.A.", "", "Hopper, M.A."),
        ("Ada Hopper, M.A.", "", "Ada Hopper, M.A."),
        ("M.A. Hopper", "", "M.A. Hopper"),
        ("B.A. Hopper", "", "B.A. Hopper"),
        ("D.R. Hopper", "", "D.R. Hopper"),
        ("J.D. Hopper", "", "J.D. Hopper"),
        ("Di Hopper", "", "Di Hopper"),
        ("DI Hopper", "", "DI Hopper"),
        ("Ba Hopper", "", "Ba Hopper"),
        ("Lic Hopper", "", "Lic Hopper"),
        ("Meng Hopper", "", "Meng Hopper"),
        ("Grace Meng", "", "Grace Meng"),
        ("Drake Hopper", "", "Drake Hopper"),
        ("Grace Dr", "", "Grace Dr"),
        ("Doc Hopper", "", "Doc Hopper"),
        ("Dott Hopper", "", "Dott Hopper"),
        ("Ir Hopper", "", "Ir Hopper"),
        ("Mr. Hopper", "", "Mr. Hopper"),
        ("O'Hopper, Ada", "", "O'Hopper, Ada"),
    ] {
        check(text, degree, rest);
    }
}

#[test]
fn the_file_of_degrees_is_sound() {
    let mut seen = std::collections::HashSet::new();
    for line in lines() {
        let spellings = described(line).unwrap_or_else(|| panic!("`{line}` is not understood"));
        for (spelling, degree) in spellings {
            assert!(
                seen.insert((spelling.clone(), degree.place == Place::Before)),
                "`{spelling}` occurs twice"
            );
            assert_eq!(canonical(&spelling), degree.canonical, "{line}");
            assert_eq!(canonical(degree.canonical), degree.canonical, "{line}");
        }
    }
}

/// Found by fuzzing: written side by side, two degrees can be read as another one.
#[test]
fn degrees_beside_each_other_stay_what_they_are() {
    for (text, spelled) in [
        ("Dr. m-ed", "Dr., MEd"),
        ("Dr. M.Ed.", "Dr., MEd"),
        ("Prof, Dr. m-ed,ThD", "Prof., Dr., MEd, Th.D."),
        ("Dr. med.", "Dr. med."),
        ("Prof. Dr. PhD", "Prof. Dr. PhD"),
    ] {
        assert_eq!(canonical(text), spelled);
        assert_eq!(canonical(spelled), spelled);
    }
}

/// Texts made of what degrees and names are made of.
fn jumble() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "Dr.", "dr", "Prof.", "Ing.", "Ing", "med.", "Med", "h.c.", "PhD", "Ph.D.", "M.A.", "MA", "MBA",
        "PD", "DI", "Mag.", "mr.", "Herr", "Ada", "Lovelace", ",", ".", "-", "(", ")", " ", "'", "(FH)",
        "Dipl.-", "\u{A0}", "CSc.", "m", "ed", "nat", "habil",
    ]);
    prop::collection::vec((piece, prop::sample::select(vec!["", " ", ", ", "  "])), 0..9)
        .prop_map(|pieces| pieces.into_iter().flat_map(|(piece, gap)| [piece, gap]).collect())
}

proptest! {
    #[test]
    fn spelling_is_idempotent(text in jumble()) {
        let once = canonical(&text);
        prop_assert_eq!(canonical(&once), once);
    }

    #[test]
    fn taking_out_takes_all(text in jumble()) {
        let (degree, rest) = split(&text);
        if let Some(degree) = degree {
            prop_assert_eq!(canonical(&degree), degree);
        }
        prop_assert_eq!(split(&rest), (None, rest));
    }

    #[test]
    fn any_text_has_an_answer(text in any::<String>()) {
        canonical(&text);
        split(&text);
    }
}
