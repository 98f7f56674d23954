//! Line shapes: data files and unknown languages have no telling words, but telling lines.

/// Lines looked at.
const MAX_LINES: usize = 200;

/// What the lines look like.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    /// Lines that are neither blank nor a comment.
    lines: usize,
    /// Ending in `;`, `{`, `}`, `);` and the like.
    code: usize,
    /// `key: value`, `- item`.
    yaml: usize,
    /// Of these, the ones with a key.
    keyed: usize,
    /// `[section]`.
    section: usize,
    /// `key = value` with a quoted, numeric, boolean or list value.
    typed: usize,
    /// `key = value` or `key=value`.
    assigned: usize,
    /// With the time of day near their beginning, and a date.
    stamped: usize,
    /// Lines of five and more plain words.
    prose: usize,
    /// Unindented lines, and those of them like in YAML.
    top: usize,
    top_yaml: usize,
    /// Begins with `---` alone.
    document: bool,
    /// The separator, and how many of the lines have as many of it as the first.
    separated: Option<(char, usize)>,
}

/// Looks at each line once.
pub(super) fn measure(text: &str, whole: bool) -> Shapes {
    let mut shapes = Shapes::default();
    let mut all: Vec<&str> = text.lines().take(MAX_LINES).collect();
    if !whole && all.len() > 1 {
        // The last line is cut.
        all.pop();
    }
    let first = all.iter().find(|l| !l.trim().is_empty() && !l.starts_with('#'));
    shapes.document = first.is_some_and(|l| l.trim_end() == "---");
    let comment = |l: &&str| !l.is_empty() && !l.starts_with(['#', ';']) && !l.starts_with("//");
    let lines: Vec<&str> = all.iter().map(|l| l.trim()).filter(comment).collect();
    shapes.lines = lines.len();
    for line in &lines {
        shapes.add(line);
    }
    let top =
        all.iter().filter(|l| comment(l) && !l.starts_with([' ', '\t']) && l.trim_end() != "---");
    for line in top {
        shapes.top += 1;
        shapes.top_yaml += usize::from(yaml_key(line.trim_end()) || line.starts_with("- "));
    }
    shapes.separated = separated(&all);
    shapes
}

impl Shapes {
    fn add(&mut self, line: &str) {
        self.code += usize::from(line.ends_with([';', '{', '}']) || line.ends_with(");"));
        let item = line.strip_prefix("- ").unwrap_or(line);
        let keyed = yaml_key(item);
        self.keyed += usize::from(keyed);
        self.yaml += usize::from(keyed || line.starts_with("- ") || line == "-");
        self.section += usize::from(is_section(line));
        self.stamped += usize::from(is_stamped(line));
        if let Some((key, value)) = line.split_once('=')
            && is_key(key.trim())
        {
            self.assigned += 1;
            let value = value.trim();
            self.typed += usize::from(
                value.starts_with(['"', '\'', '[', '{'])
                    || matches!(value, "true" | "false")
                    || (value.starts_with(|c: char| c.is_ascii_digit()) && !value.ends_with(';')),
            );
        }
        let words =
            line.split(' ').filter(|w| w.chars().all(|c| c.is_alphabetic() || ",.'’".contains(c)));
        self.prose += usize::from(words.take(5).count() == 5);
    }

    /// A data format with its strength on the scale of the words' scores.
    pub(super) fn data(&self) -> Option<(&'static str, u32)> {
        let most =
            |n: usize, of_hundred: usize| self.lines > 0 && n * 100 >= self.lines * of_hundred;
        if self.stamped >= 2 && most(self.stamped, 60) {
            return Some(("text/x-log", 60));
        }
        if self.section > 0
            && self.typed > 0
            && most(self.section + self.assigned, 50)
            && self.typed * 2 >= self.assigned
        {
            return Some(("application/toml", 24));
        }
        if self.section > 0 && self.assigned > 0 && most(self.section + self.assigned, 60) {
            return Some(("text/x-ini", 22));
        }
        if let Some((separator, lines)) = self.separated
            && lines >= 2
        {
            let media = if separator == '\t' { "text/tab-separated-values" } else { "text/csv" };
            return Some((media, if lines > 4 { 20 } else { 9 }));
        }
        // Scripts and prose may stand in a YAML file, but indented, and under keys.
        let block = self.top >= 2 && self.top_yaml == self.top && self.top * 2 <= self.lines;
        if block && most(self.yaml, 35) {
            return Some(("application/yaml", 40));
        }
        let yaml = self.keyed >= 2 && most(self.yaml, 70) && self.code * 5 <= self.lines;
        if self.document && self.keyed >= 3 && most(self.yaml, 70) {
            return Some(("application/yaml", 30));
        }
        if self.document && self.keyed >= 1 && most(self.yaml, 30) && self.code * 4 <= self.lines {
            return Some(("application/yaml", 26));
        }
        if yaml && self.prose * 3 <= self.lines {
            return Some(("application/yaml", 18));
        }
        if self.typed >= 3 && most(self.typed, 60) && self.code * 10 <= self.lines {
            return Some(("application/toml", 14));
        }
        (self.assigned >= 2 && most(self.assigned, 80) && self.code * 10 <= self.lines)
            .then_some(("text/x-properties", 12))
    }

    /// Whether it reads like sentences, whose words a language's keywords often are.
    pub(super) fn is_prose(&self) -> bool {
        self.prose * 10 >= self.lines * 3 && self.code * 10 < self.lines
    }

    /// Whether it reads like a program in no language we know.
    pub(super) fn is_code(&self) -> bool {
        self.lines >= 3 && self.code * 100 >= self.lines * 40
    }

    /// What the shapes add to a language's words.
    pub(super) fn support(&self, media: &str) -> u32 {
        const BRACED: &[&str] = &[
            "text/css",
            "text/javascript",
            "text/rust",
            "text/x-c",
            "text/x-c++",
            "text/x-csharp",
            "text/x-go",
            "text/x-java",
        ];
        u32::from(self.is_code() && BRACED.contains(&media))
    }
}

/// A YAML block between `---` lines, and then something else: how many note-takers and site
/// generators begin a Markdown page.
pub(super) fn is_front_matter(text: &str) -> bool {
    let mut lines = text.lines();
    if lines.next().is_none_or(|l| l.trim_end() != "---") {
        return false;
    }
    let mut inside = lines.by_ref().take_while(|l| l.trim_end() != "---");
    if !inside.next().is_some_and(yaml_key) {
        return false;
    }
    inside.for_each(drop);
    let after: Vec<&str> = lines.filter(|l| !l.trim().is_empty()).take(20).collect();
    let yaml = after.iter().filter(|l| yaml_key(l.trim()) || l.trim() == "---").count();
    !after.is_empty() && yaml * 2 < after.len()
}

fn is_key(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= 64
        && key.chars().all(|c| c.is_alphanumeric() || "_-. \"'".contains(c))
        && key.split(' ').count() <= 3
        && key.starts_with(|c: char| c.is_alphanumeric() || "\"'_".contains(c))
}

fn yaml_key(line: &str) -> bool {
    let Some((key, value)) = line.split_once(':') else { return false };
    let one_word =
        !key.is_empty() && !key.trim_matches('"').contains([' ', '(', '{', '<', ';', '=', '$']);
    let ends = value.is_empty() || value.starts_with(' ');
    one_word && ends && !line.ends_with(['{', ';', ','])
}

/// Whether a line of a log begins here: hours, minutes and seconds among its first characters, and a year or the
/// name of a month before them.
fn is_stamped(line: &str) -> bool {
    let begin = &line.as_bytes()[..line.len().min(100)];
    let digit = |b: u8| b.is_ascii_digit();
    let time = begin.windows(8).position(|w| {
        let pair = |at: usize| digit(w[at]) && digit(w[at + 1]);
        w[2] == b':' && w[5] == b':' && pair(0) && pair(3) && pair(6)
    });
    let Some(before) = time.map(|at| &begin[..at]) else { return false };
    let date = before.windows(3).filter(|w| {
        // 2024-05, 13/Nov/, 10/13/21
        digit(w[0]) && matches!(w[1], b'-' | b'/' | b'.') && w[2].is_ascii_alphanumeric()
    });
    // Nov 13, as syslog writes it
    let months = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
        b"Dec",
    ];
    date.count() > 0
        || before.len() < 40 && months.iter().any(|m| before.windows(3).any(|w| w == *m))
}

fn is_section(line: &str) -> bool {
    let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) else { return false };
    let name = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name);
    !name.is_empty()
        && name.chars().all(|c| c.is_alphanumeric() || "_-. \"':/\\@#".contains(c))
        && name.contains(|c: char| c.is_alphabetic())
}

/// A separator that every line has as often as the first; quoted text may hold more of it.
fn separated(lines: &[&str]) -> Option<(char, usize)> {
    let lines: Vec<&str> =
        lines.iter().copied().filter(|l| !l.trim().is_empty()).take(60).collect();
    let first = lines.first()?;
    [('\t', 1), (',', 1), (';', 1), ('|', 2)].into_iter().find_map(|(separator, at_least)| {
        let columns = count(first, separator);
        let same = lines.iter().filter(|l| count(l, separator) == columns).count();
        let regular = columns >= at_least && same * 10 >= lines.len() * 9;
        // Two columns of a comma each are prose as likely as a table.
        let enough = lines.len() >= if columns == 1 { 4 } else { 2 };
        let sentence = separator != '\t'
            && lines
                .iter()
                .any(|l| l.ends_with([';', '{', '.']) && separator != ';' || l.ends_with('{'));
        let spaced =
            separator == ',' && lines.iter().filter(|l| l.contains(", ")).count() * 2 > lines.len();
        (regular && enough && !sentence && !(spaced && columns < 3)).then_some((separator, same))
    })
}

fn count(line: &str, separator: char) -> usize {
    let mut quoted = false;
    line.chars()
        .filter(|c| {
            quoted ^= *c == '"';
            !quoted && *c == separator
        })
        .count()
}
