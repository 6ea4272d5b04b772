//! Pictures of the growth curves, as SVG: both axes logarithmic, so that what does not grow is a level line.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use scim_bench::world::Failure;

use crate::curves::FILE;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
/// The plotted area: left, top, right, bottom. On the right is room for the names of the lines.
const AREA: [f64; 4] = [84.0, 56.0, 560.0, 356.0];
/// Colours that people who see colours differently can tell apart (Okabe and Ito).
const COLOURS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

/// A picture.
struct Picture {
    file: &'static str,
    title: &'static str,
    below: &'static str,
    /// The lines, by their names in the file of figures, and what they are called.
    lines: &'static [(&'static str, &'static str)],
}

const PICTURES: [Picture; 2] = [
    Picture {
        file: "users.svg",
        title: "Requests a second, by the number of users",
        below: "users in the tenant",
        lines: &[
            ("get", "GET /Users/{id}"),
            ("filter", "filter userName eq"),
            ("list", "page of 100"),
            ("post", "POST, 16 writers"),
        ],
    },
    Picture {
        file: "groups.svg",
        title: "Members added a second, by the size of the group",
        below: "members of the group",
        lines: &[("add-member", "PATCH add member")],
    },
];

/// Draws the figures in a folder, and puts the pictures beside them.
pub(crate) fn draw(folder: &Path) -> Result<(), Failure> {
    let file = folder.join(FILE);
    let text = fs::read_to_string(&file).map_err(|error| {
        format!("cannot read {}: {error}; `cargo xtask load --curves` writes it", file.display())
    })?;
    let points = points(&text).ok_or_else(|| format!("{} has another form", file.display()))?;
    for picture in &PICTURES {
        fs::write(folder.join(picture.file), picture.svg(&points))?;
    }
    Ok(())
}

/// What was measured: the line's name, the size, requests a second.
type Point = (String, f64, f64);

/// Reads the first, second and fourth column of all lines but the first.
fn points(text: &str) -> Option<Vec<Point>> {
    let point = |line: &str| {
        let mut cells = line.split(',');
        let (what, size, rate) = (cells.next()?, cells.next()?, cells.nth(1)?);
        Some((what.to_owned(), size.parse().ok()?, rate.parse().ok()?))
    };
    text.lines().skip(1).map(point).collect()
}

/// A logarithmic axis over whole decades.
#[derive(Clone, Copy)]
struct Axis {
    first: i32,
    last: i32,
    from: f64,
    to: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let decade = |value: f64| value.max(1e-3).log10();
        let first = values.clone().map(decade).fold(f64::INFINITY, f64::min).floor() as i32;
        let last = values.map(decade).fold(f64::NEG_INFINITY, f64::max).ceil() as i32;
        Self { first, last: last.max(first.saturating_add(1)), from, to }
    }

    fn place(self, value: f64) -> f64 {
        let share = (value.max(1e-3).log10() - f64::from(self.first)) / f64::from(self.last - self.first);
        self.from + share * (self.to - self.from)
    }

    fn decades(self) -> impl Iterator<Item = f64> {
        (self.first..=self.last).map(|decade| 10_f64.powi(decade))
    }
}

impl Picture {
    fn svg(&self, points: &[Point]) -> String {
        let [left, top, right, bottom] = AREA;
        let own = |name: &'static str| points.iter().filter(move |(what, ..)| what == name);
        let all = || self.lines.iter().flat_map(|(name, _)| own(name));
        let Self { title, below, .. } = self;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"13\" role=\"img\" aria-label=\"{title}\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n\
             <text x=\"{left}\" y=\"30\" font-size=\"16\" font-weight=\"bold\" fill=\"#222222\">{title}</text>\n"
        );
        if all().next().is_none() {
            svg += &text(left, (top + bottom) / 2.0, "start", "#222222", "nothing was measured");
            return svg + "</svg>\n";
        }
        let across = Axis::over(all().map(|(_, size, _)| *size), left, right);
        let up = Axis::over(all().map(|(.., rate)| *rate), bottom, top);
        for decade in across.decades() {
            let x = across.place(decade);
            svg += &line((x, top), (x, bottom), "#dddddd");
            svg += &text(x, bottom + 20.0, "middle", "#555555", &short(decade));
        }
        for decade in up.decades() {
            let y = up.place(decade);
            svg += &line((left, y), (right, y), "#dddddd");
            svg += &text(left - 8.0, y + 4.0, "end", "#555555", &short(decade));
        }
        svg += &text((left + right) / 2.0, bottom + 44.0, "middle", "#222222", below);
        // Names stand at the ends of their lines, as far apart as they must be to be read.
        let mut ends = Vec::new();
        for ((name, label), colour) in self.lines.iter().zip(COLOURS) {
            let places: Vec<(f64, f64)> =
                own(name).map(|(_, size, rate)| (across.place(*size), up.place(*rate))).collect();
            let Some((x, y)) = places.last().copied() else { continue };
            let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let _ = writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\"/>",
                path.join(" ")
            );
            for (x, y) in &places {
                let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"/>");
            }
            let last = own(name).next_back().map_or(0.0, |(.., rate)| *rate);
            ends.push((x, y, colour, format!("{label}, {}", short(last))));
        }
        ends.sort_by(|one, other| one.1.total_cmp(&other.1));
        let mut lowest = f64::NEG_INFINITY;
        for (x, y, colour, label) in ends {
            lowest = (lowest + 17.0).max(y + 4.0);
            svg += &text(x + 10.0, lowest, "start", colour, &label);
        }
        svg + "</svg>\n"
    }
}

fn line((x, y): (f64, f64), (to_x, to_y): (f64, f64), colour: &str) -> String {
    format!("<line x1=\"{x:.1}\" y1=\"{y:.1}\" x2=\"{to_x:.1}\" y2=\"{to_y:.1}\" stroke=\"{colour}\"/>\n")
}

fn text(x: f64, y: f64, anchor: &str, colour: &str, words: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{words}</text>\n")
}

/// A number in few characters: `1.5k`, `20k`, `1M`.
fn short(value: f64) -> String {
    let (value, unit) = match value {
        _ if value >= 999_500.0 => (value / 1e6, "M"),
        _ if value >= 999.5 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let digits = if value >= 9.95 { format!("{value:.0}") } else { format!("{value:.1}") };
    format!("{}{unit}", digits.trim_end_matches(".0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, expected) in [
            (0.1, "0.1"),
            (1.0, "1"),
            (10.0, "10"),
            (999.6, "1k"),
            (1540.0, "1.5k"),
            (20_400.0, "20k"),
            (1e6, "1M"),
        ] {
            assert_eq!(short(value), expected);
        }
    }

    #[test]
    fn what_does_not_grow_is_level() {
        let points =
            points("header\nget,1000,8,500.0,1,1,1,0\nget,1000000,8,500.0,1,1,,0\n").expect("parses");
        let svg = PICTURES[0].svg(&points);
        assert!(svg.contains("<polyline points=\"84.0,146.3 560.0,146.3\""), "{svg}");
        assert!(svg.contains("GET /Users/{id}, 500"), "{svg}");
        assert!(PICTURES[1].svg(&points).contains("nothing was measured"));
    }

    #[test]
    fn another_form_is_not_guessed_at() {
        assert!(points("header\nget;1;2;3\n").is_none());
    }
}
