"""Kinds of answers for math_generate.py: each makes a gold, other spellings of it (equal) and near misses (unequal), by construction.

A kind is a function of a random.Random that returns (gold, equal, near): texts, marked `plain` where no dollars belong around them.
What SymPy rewrites, SymPy also checks: `sympy_pairs` evaluates both sides of a pair at random points with 30 digits.
"""

import fractions
import math

import sympy

FRACTION = fractions.Fraction
X, Y, N, T = sympy.symbols("x y n t")


class Plain(str):
    """A spelling that stands in prose without dollars."""


def tex_fraction(value, command="frac"):
    sign = "-" if value < 0 else ""
    if value.denominator == 1:
        return str(value.numerator)
    return f"{sign}\\{command}{{{abs(value.numerator)}}}{{{value.denominator}}}"


def grouped(value, mark):
    return f"{value:,}".replace(",", mark)


def rational(rng, low=-40, high=40, parts=24):
    while True:
        value = FRACTION(rng.randint(low, high), rng.randint(2, parts))
        if value.denominator > 1:
            return value


def rounded(value, digits):
    """`value` (a Fraction) with so many significant digits, correctly rounded, and one unit in its last place."""
    exponent = math.floor(math.log10(abs(value))) - digits + 1
    unit = FRACTION(10) ** exponent
    scaled = abs(value) / unit
    whole = int(scaled + FRACTION(1, 2))
    return (1 if value > 0 else -1) * whole * unit, unit


def decimal_text(value):
    """A Fraction with a finite decimal expansion, without an exponent."""
    sign, value = ("-" if value < 0 else ""), abs(value)
    digits = 0
    while (value * 10**digits).denominator != 1:
        digits += 1
    text = str((value * 10**digits).numerator).rjust(digits + 1, "0")
    return sign + (text if digits == 0 else f"{text[:-digits]}.{text[-digits:]}")


# --- Numbers.


def integer(rng):
    value = rng.choice([rng.randint(-20, 20), rng.randint(-999, 9999), rng.randint(1000, 10**7)])
    equal = [
        str(value),
        Plain(value),
        f"{value}.0",
        f"{value}.",
        f"\\left({value}\\right)",
        f"+{value}" if value > 0 else f"{value}",
        f"\\frac{{{value * 3}}}{{3}}",
        f"{{{value}}}",
        f"\\mathbf{{{value}}}",
        f"\\text{{{value}}}",
        f"x = {value}",
        f"{value} \\quad",
    ]
    if abs(value) >= 1000:
        equal += [
            grouped(value, ","),
            grouped(value, "{,}"),
            grouped(value, "\\,"),
            Plain(grouped(value, ",")),
            grouped(value, "\\;"),
        ]
    if value > 0:
        equal += [Plain(f"{value}.00"), f"\\sqrt{{{value * value}}}" if value < 1000 else str(value)]
    near = [
        str(value + rng.choice([-1, 1])),
        str(-value) if value else "1",
        f"{value}.5",
        f"{value}0" if value else "10",
        f"\\frac{{{value}}}{{2}}" if value else "\\frac{1}{2}",
        f"{value}i" if value else "i",
        f"{value}!" if value > 2 else f"{value + 2}",
        f"{value}x" if value else "x",
        f"{value}^2" if abs(value) > 1 else "7",
        f"{value}, {value + 1}",
    ]
    return str(value), equal, near


def shows(text, value):
    """Whether a decimal shows as many places as `value`: without its last zero it may be rounded right."""
    return len(text) >= len(decimal_text(value))


def fraction(rng):
    value = rational(rng)
    a, b = value.numerator, value.denominator
    k = rng.randint(2, 5)
    equal = [
        tex_fraction(value),
        tex_fraction(value, "dfrac"),
        tex_fraction(value, "tfrac"),
        Plain(f"{a}/{b}"),
        f"{a}/{b}",
        f"\\frac{{{a * k}}}{{{b * k}}}",
        f"{a} \\div {b}",
        f"\\left(\\frac{{{a}}}{{{b}}}\\right)",
        f"{a}\\cdot\\frac{{1}}{{{b}}}",
        f"\\frac{{{-a}}}{{{-b}}}",
        f"{{{a} \\over {b}}}",
    ]
    if abs(value) > 1:
        whole, rest = divmod(abs(a), b)
        sign = "-" if a < 0 else ""
        equal += [f"{sign}{whole}\\frac{{{rest}}}{{{b}}}", Plain(f"{sign}{whole} {rest}/{b}")]
    six, unit = rounded(value, rng.randint(6, 12))
    equal.append(Plain(decimal_text(six)))
    near = [
        tex_fraction(FRACTION(a + b, b)),
        tex_fraction(FRACTION(-a, b)),
        tex_fraction(FRACTION(b, a)) if abs(a) not in (0, b) else "2",
        Plain(f"{a}/{b + 1}"),
        *(Plain(text) for text in map(decimal_text, (six + unit, six - unit)) if shows(text, six)),
        str(a),
        Plain(f"{a} {b}"),
        f"{a}, {b}",
    ]
    return tex_fraction(value), equal, near


def decimal(rng):
    digits = rng.randint(1, 5)
    value = FRACTION(rng.randint(1, 10 ** (digits + 2)), 10**digits)
    if value.denominator == 1:
        value += FRACTION(1, 10)
    text = decimal_text(value)
    equal = [text, Plain(text), text + "0", Plain(text + "00"), tex_fraction(value), f"{text}\\ ", f"\\mathrm{{{text}}}"]
    if text.startswith("0."):
        equal.append(Plain(text[1:]))
    exponent = rng.randint(2, 5)
    equal.append(f"{decimal_text(value / 10**exponent)} \\times 10^{{{exponent}}}")
    near = [
        decimal_text(value + FRACTION(1, 10**digits)),
        decimal_text(value * 10),
        decimal_text(value / 10),
        "-" + text,
        text.replace(".", ""),
        decimal_text(value + FRACTION(1, 10 ** (digits + 2))),
    ]
    near = [other for other in near if FRACTION(other) != value]
    return text, equal, near


def scientific(rng):
    mantissa, exponent = FRACTION(rng.randint(101, 999), 100), rng.choice([-9, -6, -4, 5, 7, 12])
    text = decimal_text(mantissa)
    value = mantissa * FRACTION(10) ** exponent
    equal = [
        f"{text} \\times 10^{{{exponent}}}",
        f"{text}\\cdot 10^{{{exponent}}}",
        Plain(f"{text}e{exponent}"),
        Plain(f"{text}E{exponent:+d}"),
        Plain(decimal_text(value)),
        Plain(f"{text} x 10^{exponent}"),
        Plain(f"{text}*10^{exponent}"),
        Plain(f"{text}×10^{exponent}"),
    ]
    near = [
        f"{text} \\times 10^{{{exponent + 1}}}",
        f"{text} \\times 10^{{{-exponent}}}",
        Plain(text),
        f"-{text} \\times 10^{{{exponent}}}",
        Plain(f"{text} + 10^{exponent}"),
    ]
    return f"{text} \\times 10^{{{exponent}}}", equal, near


def percent(rng):
    value = rng.choice([rng.randint(1, 99), FRACTION(rng.randint(1, 399), 4)])
    text = decimal_text(FRACTION(value))
    equal = [f"{text}\\%", Plain(f"{text}%"), Plain(f"{text} %"), Plain(f"{text} percent"), f"{text} \\%", Plain(text)]
    other = decimal_text(FRACTION(value) + 1)
    near = [f"{other}\\%", Plain(f"-{text}%"), Plain(f"{decimal_text(FRACTION(value) / 100)}%"), Plain(f"1 - {text}%")]
    return f"{text}\\%", equal, near


def money(rng):
    value = FRACTION(rng.randint(100, 99999), rng.choice([1, 1, 100]))
    text = decimal_text(value)
    cents = f"{float(value):.2f}"
    equal = [
        f"\\${text}",
        Plain(f"${cents}"),
        Plain(f"{text} dollars"),
        Plain(text),
        Plain(f"US${cents}"),
        Plain(f"{cents} USD"),
        Plain(f"€{text}"),
        f"\\text{{{text} dollars}}",
        Plain(f"£{text}"),
        Plain(f"₹{text}"),
        Plain(f"Rs. {text}"),
        Plain(f"CHF {text}"),
        Plain(f"{text} €"),
    ]
    if value >= 1000:
        equal.append(Plain("$" + f"{float(value):,.2f}"))
    near = [
        Plain(f"${decimal_text(value + 1)}"),
        Plain(f"-${text}"),
        Plain(f"${decimal_text(value * 10)}"),
        Plain(f"${text} million"),
    ]
    return text, equal, near


UNITS = [
    "cm",
    "m",
    "kg",
    "km",
    "hours",
    "minutes",
    "apples",
    "meters",
    "square meters",
    "miles per hour",
    "students",
    "liters",
    "stamps",
    "degrees",
]


def quantity(rng):
    value, unit = rng.randint(2, 999), rng.choice(UNITS)
    equal = [
        Plain(f"{value} {unit}"),
        f"{value}\\text{{ {unit}}}",
        f"{value}~\\text{{{unit}}}",
        f"\\text{{{value} {unit}}}",
        f"{value}\\,\\mathrm{{{unit.replace(' ', '~')}}}",
        str(value),
    ]
    if " " not in unit:
        equal.append(f"\\mathrm{{{value}\\ {unit}}}")
    near = [
        Plain(f"{value + 1} {unit}"),
        f"{value}0\\text{{ {unit}}}",
        Plain(f"{value} {unit} and 3 more"),
        Plain(f"{value} and a half {unit}"),
        Plain(f"at least {value} {unit}"),
        Plain(f"-{value} {unit}"),
    ]
    return rng.choice([str(value), f"{value}\\text{{ {unit}}}"]), equal, near


ORDINALS = {
    2: ("half", "halves"),
    3: ("third", "thirds"),
    4: ("quarter", "quarters"),
    5: ("fifth", "fifths"),
    6: ("sixth", "sixths"),
    7: ("seventh", "sevenths"),
    8: ("eighth", "eighths"),
    9: ("ninth", "ninths"),
    10: ("tenth", "tenths"),
    12: ("twelfth", "twelfths"),
}
SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def in_words(value):
    if value < 20:
        return SMALL[value]
    if value < 100:
        return TENS[value // 10] + ("-" + SMALL[value % 10] if value % 10 else "")
    if value < 1000:
        return SMALL[value // 100] + " hundred" + (" and " + in_words(value % 100) if value % 100 else "")
    return in_words(value // 1000) + " thousand" + (" " + in_words(value % 1000) if value % 1000 else "")


def words(rng):
    value = rng.choice([rng.randint(2, 20), rng.randint(21, 999), rng.randint(1000, 99999)])
    equal = [Plain(in_words(value)), Plain(in_words(value).capitalize()), f"\\text{{{in_words(value)}}}", str(value)]
    near = [
        Plain(in_words(value + 1)),
        Plain(f"{in_words(value)} and a half"),
        Plain(f"minus {in_words(value)}"),
        Plain(f"{in_words(value)} thirds"),
        Plain(f"{in_words(value)} squared"),
        Plain(f"twice {in_words(value)}"),
        Plain(f"{value} to the power 3"),
        Plain(f"{value} times 10"),
    ]
    return str(value), equal, near


def fraction_words(rng):
    b = rng.choice(list(ORDINALS))
    a = rng.choice([k for k in range(1, 2 * b) if math.gcd(k, b) == 1])
    value = FRACTION(a, b)
    name = ORDINALS[b][a != 1]
    equal = [Plain(f"{in_words(a)} {name}"), Plain(f"{a} {name}"), tex_fraction(value)]
    if a > b:
        whole, rest = divmod(a, b)
        rest_name = ORDINALS[b][rest != 1]
        equal += [
            Plain(f"{whole} and {rest}/{b}"),
            Plain(f"{in_words(whole)} and {in_words(rest)} {rest_name}"),
            f"{whole}\\text{{ and }}\\frac{{{rest}}}{{{b}}}",
        ]
        if b > 2:
            equal.append(Plain(f"{whole} and {rest} {rest_name}"))
    near = [
        Plain(f"{a + b} {ORDINALS[b][1]}"),
        Plain(str(a)),
        Plain(f"{in_words(a)}"),
        tex_fraction(FRACTION(b, a)) if a != 1 else "3",
        Plain(f"{a} and {a}/{b + 1}"),
    ]
    return tex_fraction(value), equal, near


def radical(rng):
    k, n = rng.randint(2, 9), rng.choice([2, 3, 5, 6, 7, 10, 11, 13])
    a = rng.choice([0, rng.randint(1, 9)])
    lead = f"{a} + " if a else ""
    equal = [
        f"{lead}{k}\\sqrt{{{n}}}",
        f"{lead}\\sqrt{{{k * k * n}}}",
        f"{lead}{k}\\cdot {n}^{{1/2}}",
        Plain(f"{lead}{k}*sqrt({n})"),
        Plain(f"{lead}{k}√{n}"),
        f"{lead}{k} \\sqrt {n}" if n < 10 else f"{lead}{k}\\sqrt{{{n}}}",
        f"{k}\\sqrt{{{n}}}" + (f" + {a}" if a else ""),
        f"{lead}\\frac{{{k * n}}}{{\\sqrt{{{n}}}}}",
        f"{lead}{k}\\sqrt[2]{{{n}}}",
        Plain(f"{lead}{k}sqrt{n}") if n < 10 else f"{lead}{k}\\sqrt{{{n}}}",
    ]
    value = sympy.N(a + k * sympy.sqrt(n), 40)
    equal.append(Plain(str(sympy.N(value, 15))))
    near = [
        f"{lead}{k}\\sqrt{{{n + 1}}}",
        f"{lead}{k + 1}\\sqrt{{{n}}}",
        f"{lead}{k}{n}",
        f"{lead}\\sqrt{{{k * n}}}",
        f"{lead}{k}\\sqrt[3]{{{n}}}",
        f"{lead}-{k}\\sqrt{{{n}}}" if not a else f"{a} - {k}\\sqrt{{{n}}}",
        Plain(f"{float(value):.3f}"),
        f"\\pm {k}\\sqrt{{{n}}}" if not a else f"{a} \\pm {k}\\sqrt{{{n}}}",
    ]
    return f"{lead}{k}\\sqrt{{{n}}}", equal, near


def pi_multiple(rng):
    value = rational(rng, 1, 30, 12)
    a, b = value.numerator, value.denominator
    front = "" if a == 1 else str(a)
    equal = [
        f"\\frac{{{front}\\pi}}{{{b}}}" if a != 1 else f"\\frac{{\\pi}}{{{b}}}",
        f"\\frac{{{a}}}{{{b}}}\\pi",
        Plain(f"{a}*pi/{b}"),
        Plain(f"{front}π/{b}"),
        f"{front}\\pi/{b}",
        f"\\pi\\cdot\\frac{{{a}}}{{{b}}}",
        Plain(str(sympy.N(sympy.Rational(a, b) * sympy.pi, 12))),
    ]
    near = [
        f"\\frac{{{a}}}{{{b}}}",
        f"\\frac{{{a + b}\\pi}}{{{b}}}",
        f"\\frac{{{a}}}{{{b}\\pi}}",
        f"-\\frac{{{a}\\pi}}{{{b}}}",
        Plain(f"{float(value) * 3.14:.4f}"),
        f"\\frac{{{a}\\pi^2}}{{{b}}}",
    ]
    return f"\\frac{{{front}\\pi}}{{{b}}}" if a != 1 else f"\\frac{{\\pi}}{{{b}}}", equal, near


def complex_number(rng):
    a, b = rng.randint(-9, 9) or 1, rng.randint(1, 9)
    i = "i" if b == 1 else f"{b}i"
    equal = [
        f"{a}+{i}",
        f"{i}+{a}" if a > 0 else f"{i}{a}",
        Plain(f"{a} + {b}*i"),
        f"{a} + {b}\\cdot i",
        f"z = {a}+{i}",
        f"\\frac{{{2 * a}+{2 * b}i}}{{2}}",
    ]
    near = [f"{a}-{i}", f"{-a}+{i}", f"{a}", f"{b}+{a}i" if a not in (b, 0) and a > 0 else f"{a}+{b + 1}i", f"{a}+{b}"]
    return f"{a}+{i}", equal, near


def base_numeral(rng):
    base = rng.choice([2, 3, 5, 7, 8, 9])
    value = rng.randint(base**3, base**6)
    digits, rest = "", value
    while rest:
        digits, rest = str(rest % base) + digits, rest // base
    equal = [
        f"{digits}_{base}",
        f"{digits}_{{{base}}}",
        f"{digits}_{{({base})}}",
        Plain(digits),
        f"{digits}_{{\\text{{{NAMES_OF_BASES[base]}}}}}",
        Plain(f"{digits}_{base}"),
    ]
    near = [
        f"{digits}_{{{base + 1}}}",
        str(value),
        f"{digits[:-1]}{(int(digits[-1]) + 1) % base}_{{{base}}}",
        Plain(digits[::-1] if digits != digits[::-1] else digits + "1"),
    ]
    return f"{digits}_{{{base}}}", equal, near


NAMES_OF_BASES = {2: "two", 3: "three", 5: "five", 7: "seven", 8: "eight", 9: "nine"}


def combinatorial(rng):
    n = rng.randint(5, 12)
    k = rng.randint(2, n - 2)
    value = math.comb(n, k)
    equal = [
        f"\\binom{{{n}}}{{{k}}}",
        f"\\dbinom{{{n}}}{{{k}}}",
        f"C_{{{n}}}^{{{k}}}",
        f"{{{n} \\choose {k}}}",
        Plain(f"C({n},{k})"),
        Plain(f"nCr({n},{k})"),
        f"\\frac{{{n}!}}{{{k}! \\cdot {n - k}!}}",
        f"\\frac{{{n}!}}{{{k}!\\,({n}-{k})!}}",
        Plain(f"binom({n},{k})"),
        f"^{{{n}}}C_{{{k}}}",
        f"\\binom{{{n}}}{{{n - k}}}",
    ]
    near = [
        f"\\binom{{{n + 1}}}{{{k}}}",
        str(value + 1),
        f"\\frac{{{n}!}}{{{k}!}}",
        f"\\binom{{{n}}}{{{k}}} - 1",
        f"\\frac{{{n}}}{{{k}}}",
    ]
    return str(value), equal, near


# --- Expressions that SymPy rewrites.


def polynomial(rng):
    variable = rng.choice([X, Y, N, T])
    roots = [rng.randint(-6, 6) for _ in range(rng.randint(2, 3))]
    lead = rng.choice([1, 1, 2, 3, -1])
    factored = lead * sympy.prod([variable - root for root in roots])
    expanded = sympy.expand(factored)
    near = [
        expanded + 1,
        -expanded,
        expanded + variable,
        sympy.expand(expanded * 2),
        sympy.expand(factored.subs(variable, -variable)),
        expanded - 2 * variable**2,
    ]
    equal = [
        sympy.latex(expanded),
        sympy.latex(factored),
        Plain(str(expanded)),
        Plain(str(factored)),
        Plain(str(expanded).replace("**", "^").replace("*", "")),
        sympy.latex(sympy.horner(expanded)),
        f"f({variable}) = {sympy.latex(expanded)}",
        f"y = {sympy.latex(expanded)}" if variable != Y else sympy.latex(expanded),
        sympy.latex(expanded, order="rev-lex"),
    ]
    near = [sympy.latex(other) for other in near if not same(other, expanded)]
    return sympy.latex(expanded), equal, near


def rational_expression(rng):
    a, b, c, d = (rng.choice([-5, -4, -3, -2, -1, 1, 2, 3, 4, 5]) for _ in range(4))
    expression = sympy.Rational(a, 1) / (X + b) + sympy.Rational(c, 1) / (X - d if X - d != X + b else X + b + 1)
    forms = [expression, sympy.together(expression), sympy.factor(expression), sympy.cancel(expression)]
    near = [expression + 1, -expression, expression.subs(X, X + 1), expression * X, 1 / expression if expression != 0 else X]
    equal = [sympy.latex(form) for form in forms] + [Plain(str(form)) for form in forms]
    return sympy.latex(forms[0]), equal, [sympy.latex(other) for other in near if not same(other, expression)]


def transcendental(rng):
    k, m = rng.randint(2, 5), rng.randint(1, 4)
    expression, forms = rng.choice(
        [
            (sympy.sin(2 * X) * k, [2 * k * sympy.sin(X) * sympy.cos(X)]),
            (sympy.cos(X) ** 2 * k, [k - k * sympy.sin(X) ** 2, k * (1 + sympy.cos(2 * X)) / 2]),
            (sympy.exp(k * X + m), [sympy.exp(k * X, evaluate=False) * sympy.exp(m)]),
            (k * sympy.log(X) + m, [m + k * sympy.log(X)]),
            (sympy.sqrt(X) * k + m, [m + k * X ** sympy.Rational(1, 2)]),
            (k * sympy.exp(-X / 2) + m, [m + k / sympy.exp(X / 2)]),
            (sympy.tan(X) * k, [k * sympy.sin(X) / sympy.cos(X)]),
        ]
    )
    near = [expression + 1, -expression, expression.subs(X, 2 * X), expression * 2, expression.subs(X, X + 1)]
    equal = (
        [sympy.latex(expression), sympy.latex(expression, ln_notation=True)]
        + [sympy.latex(form) for form in forms]
        + [Plain(str(form)) for form in (expression, *forms)]
    )
    return sympy.latex(expression), equal, [sympy.latex(other) for other in near if not same(other, expression)]


def logarithm(rng):
    base, argument = rng.choice([2, 3, 5, 10]), rng.choice([6, 7, 11, 14, 15, 20])
    equal = [
        f"\\log_{{{base}}} {argument}",
        f"\\log_{{{base}}}({argument})",
        f"\\frac{{\\ln {argument}}}{{\\ln {base}}}",
        f"\\frac{{\\log {argument}}}{{\\log {base}}}",
        f"\\log_{base}{{{argument}}}",
        f"-\\log_{{{base}}}\\frac{{1}}{{{argument}}}",
        f"\\frac12\\log_{{{base}}} {argument**2}",
    ]
    near = [
        f"\\log_{{{argument}}} {base}",
        f"\\log_{{{base}}} {argument + 1}",
        f"\\ln {argument}",
        f"\\log_{{{base}}} {argument} + 1",
        f"\\frac{{\\ln {base}}}{{\\ln {argument}}}",
    ]
    return f"\\log_{{{base}}} {argument}", equal, near


def series(rng):
    n = rng.randint(4, 12)
    which = rng.randrange(4)
    if which == 0:
        gold, value = str(n * (n + 1) // 2), f"\\sum_{{k=1}}^{{{n}}} k"
        equal = [value, f"\\sum_{{i=1}}^{{{n}}} i", f"\\frac{{{n}\\cdot{n + 1}}}{{2}}"]
        near = [f"\\sum_{{k=1}}^{{{n + 1}}} k", f"\\sum_{{k=1}}^{{{n}}} k^2", f"\\prod_{{k=1}}^{{{n}}} k"]
    elif which == 1:
        gold, equal = f"\\frac{{1}}{{{n + 1}}}", [
            f"\\int_0^1 x^{{{n}}}\\,dx",
            f"\\int_{{0}}^{{1}} t^{{{n}}} dt",
            f"\\int\\limits_0^1 x^{{{n}}} dx",
        ]
        near = [f"\\int_0^1 x^{{{n + 1}}}\\,dx", f"\\int_0^2 x^{{{n}}}\\,dx", f"\\int_0^1 {n} x\\,dx"]
    elif which == 2:
        gold, equal = str(math.factorial(n)), [f"{n}!", f"\\prod_{{k=1}}^{{{n}}} k", f"{n}\\cdot {n - 1}!"]
        near = [f"{n + 1}!", f"\\prod_{{k=2}}^{{{n + 1}}} k", f"{n}!!"]
    else:
        gold, equal = str(2 ** (n + 1) - 1), [
            f"\\sum_{{k=0}}^{{{n}}} 2^k",
            f"2^{{{n + 1}}}-1",
            f"\\frac{{2^{{{n + 1}}}-1}}{{2-1}}",
        ]
        near = [f"\\sum_{{k=1}}^{{{n}}} 2^k", f"2^{{{n + 1}}}", f"2^{{{n}}}-1"]
    return gold, equal, near


# --- Several values.


def pair(rng):
    a, b = rational(rng), FRACTION(rng.randint(-9, 9))
    left, right = tex_fraction(a), tex_fraction(b)
    equal = [
        f"({left},{right})",
        f"\\left({left}, {right}\\right)",
        Plain(f"({a}, {b})"),
        f"\\langle {left}, {right}\\rangle",
        f"\\begin{{pmatrix}}{left}\\\\{right}\\end{{pmatrix}}",
        f"(x,y)=({left},{right})",
        f"\\left({left},\\; {right}\\right)",
    ]
    near = [
        f"({right},{left})",
        f"({left},{tex_fraction(b + 1)})",
        f"({left},{right},0)",
        f"({tex_fraction(-a)},{right})",
        left,
    ]
    return f"\\left({left}, {right}\\right)", equal, near


def number_set(rng):
    values = rng.sample(range(-30, 31), rng.randint(2, 4))
    other = list(values)
    rng.shuffle(other)
    join = ", ".join
    equal = [
        f"\\{{{join(map(str, other))}\\}}",
        f"\\left\\{{{join(map(str, values))}\\right\\}}",
        Plain("{" + join(map(str, other)) + "}"),
        Plain(join(map(str, other))),
        Plain(join(map(str, other[:-1])) + f" and {other[-1]}"),
        f"x \\in \\{{{join(map(str, other))}\\}}",
        " \\text{ or } ".join(f"x={value}" for value in other),
        Plain(" or ".join(f"x = {value}" for value in other)),
        f"x={','.join(map(str, other))}",
    ]
    changed = list(values)
    changed[0] += 61
    near = [
        f"\\{{{join(map(str, changed))}\\}}",
        f"\\{{{join(map(str, values[:-1]))}\\}}",
        Plain(join(map(str, values + [77]))),
        Plain(join(str(-value) for value in values)) if sorted(values) != sorted(-v for v in values) else "99",
        str(values[0]),
    ]
    return f"\\{{{join(map(str, values))}\\}}", equal, near


def plus_minus(rng):
    a, b = rng.randint(-9, 9) or 2, rng.choice([2, 3, 5, 7])
    equal = [
        f"{a} \\pm \\sqrt{{{b}}}",
        f"{a}+\\sqrt{{{b}}}, {a}-\\sqrt{{{b}}}",
        f"\\{{{a}-\\sqrt{{{b}}}, {a}+\\sqrt{{{b}}}\\}}",
        f"x = {a} \\pm \\sqrt{{{b}}}",
        f"x = {a}+\\sqrt{{{b}}} \\text{{ or }} x = {a}-\\sqrt{{{b}}}",
        Plain(f"{a} ± √{b}"),
    ]
    near = [f"{a} + \\sqrt{{{b}}}", f"{-a} \\pm \\sqrt{{{b}}}", f"{a} \\pm \\sqrt{{{b + 1}}}", f"{a} \\pm {b}"]
    return f"{a} \\pm \\sqrt{{{b}}}", equal, near


def interval(rng):
    a = rng.randint(-20, 10)
    b = a + rng.randint(1, 20)
    left, right = rng.choice("[("), rng.choice("])")
    less = ["<", "\\le", "\\leq"]
    low, high = less[left == "["], less[right == "]"]
    equal = [
        f"{left}{a},{b}{right}",
        f"\\left{left}{a}, {b}\\right{right}",
        f"x \\in {left}{a},{b}{right}",
        f"{a} {low} x {high} {b}",
        f"\\{{x : {a} {low} x {high} {b}\\}}",
        f"\\{{x \\in \\mathbb{{R}} \\mid {a} {low} x {high} {b}\\}}",
    ]
    flip = {"[": "(", "(": "[", "]": ")", ")": "]"}
    near = [
        f"{flip[left]}{a},{b}{right}",
        f"{left}{a},{b}{flip[right]}",
        f"{left}{a},{b + 1}{right}",
        f"{left}{a},\\infty)",
        f"{a} {less[left != '[']} x {high} {b}",
    ]
    return f"{left}{a},{b}{right}", equal, near


def ray(rng):
    a = rng.randint(-20, 20)
    closed = rng.random() < 0.5
    bracket, relation, other = ("[", "\\ge", "\\le") if closed else ("(", ">", "<")
    equal = [
        f"{bracket}{a},\\infty)",
        f"x {relation} {a}",
        f"{a} {other} x",
        f"x \\in {bracket}{a}, +\\infty)",
        f"\\left{bracket}{a},\\infty\\right)",
        f"{bracket}{a}, \\infty)",
        f"\\{{x \\mid x {relation} {a}\\}}",
    ]
    near = [
        f"{'(' if closed else '['}{a},\\infty)",
        f"x {other} {a}",
        f"(-\\infty,{a}{']' if closed else ')'}",
        f"{bracket}{a + 1},\\infty)",
        str(a),
    ]
    return f"{bracket}{a},\\infty)", equal, near


def excluded(rng):
    a, b = rng.sample(range(-9, 10), 2)
    equal = [
        f"x \\neq {a}, {b}",
        f"x \\ne {b}, {a}",
        f"x\\neq {a} \\text{{ and }} x \\neq {b}",
        f"\\mathbb{{R}} \\setminus \\{{{a},{b}\\}}",
        f"\\mathbb{{R}}-\\{{{b},{a}\\}}",
        f"(-\\infty,{min(a, b)})\\cup({min(a, b)},{max(a, b)})\\cup({max(a, b)},\\infty)",
        f"\\text{{all real numbers except }}{a}\\text{{ and }}{b}",
    ]
    near = [
        f"x \\neq {a}",
        f"x = {a}, {b}",
        f"\\mathbb{{R}} \\setminus \\{{{a},{b + 20}\\}}",
        f"\\{{{a},{b}\\}}",
        "\\mathbb{R}",
    ]
    return f"\\mathbb{{R}} \\setminus \\{{{a},{b}\\}}", equal, near


def equation(rng):
    a, b, c = rng.randint(1, 6), rng.randint(1, 6), rng.randint(-12, 12)
    k = rng.choice([2, 3, -1])
    equal = [
        f"{a}x + {b}y = {c}",
        f"{a * k}x {'+' if b * k > 0 else '-'} {abs(b * k)}y = {c * k}",
        f"{a}x + {b}y - {c} = 0" if c >= 0 else f"{a}x + {b}y + {-c} = 0",
        f"y = \\frac{{{c} - {a}x}}{{{b}}}",
        f"{b}y = {c} - {a}x",
        Plain(f"{a}x+{b}y={c}"),
    ]
    near = [f"{a}x - {b}y = {c}", f"{a}x + {b}y = {c + 1}", f"{a + 1}x + {b}y = {c}", f"{a}x + {b}y"]
    return f"{a}x + {b}y = {c}", equal, near


def matrix(rng):
    entries = [[rng.randint(-9, 9) for _ in range(2)] for _ in range(2)]
    body = lambda rows: " \\\\ ".join(" & ".join(map(str, row)) for row in rows)
    equal = [f"\\begin{{{kind}matrix}}{body(entries)}\\end{{{kind}matrix}}" for kind in ("p", "b")] + [
        Plain(str(entries)),
        f"\\left(\\begin{{array}}{{cc}}{body(entries)}\\end{{array}}\\right)",
        f"A = \\begin{{pmatrix}}{body(entries)}\\end{{pmatrix}}",
    ]
    changed = [row[:] for row in entries]
    changed[1][0] += 1
    near = [f"\\begin{{pmatrix}}{body(changed)}\\end{{pmatrix}}", f"\\begin{{pmatrix}}{body(entries[:1])}\\end{{pmatrix}}"]
    if entries[0][1] != entries[1][0]:
        near.append(f"\\begin{{pmatrix}}{body(list(zip(*entries)))}\\end{{pmatrix}}")
    return f"\\begin{{pmatrix}}{body(entries)}\\end{{pmatrix}}", equal, near


def choice(rng):
    letter = rng.choice("ABCDE")
    other = rng.choice([other for other in "ABCDE" if other != letter])
    equal = [
        Plain(letter),
        Plain(f"({letter})"),
        Plain(f"{letter}."),
        f"\\text{{{letter}}}",
        f"\\text{{({letter})}}",
        f"\\mathrm{{{letter}}}",
        Plain(f"**{letter}**"),
        f"\\textbf{{({letter})}}",
        f"\\text{{Option {letter}}}",
        Plain(f"Option {letter}"),
    ]
    near = [
        Plain(other),
        Plain(f"({other})"),
        f"\\text{{{other}}}",
        Plain(f"{letter} or {other}"),
        Plain(f"{letter}, {other}"),
        Plain(f"not {letter}"),
    ]
    return letter, equal, near


def indexed(rng):
    names = rng.sample(["a", "b", "x", "y", "\\lambda", "\\rho"], 2)
    index = rng.choice(["i", "n", "1", "k"])
    left, right = (f"{name}_{index}" for name in names)
    equal = [
        f"{left}{right}" if not names[1].startswith("\\") else f"{left} {right}",
        f"{right} {left}",
        f"{left} \\cdot {right}",
        f"{{{names[0]}}}_{{{index}}} {{{names[1]}}}_{{{index}}}",
        f"{names[0]}_{{{index}}}{names[1]}_{{{index}}}",
    ]
    near = [
        f"{left} + {right}",
        f"{names[0]}_{{{index}}}",
        f"{names[0]}_{{2}} {names[1]}_{{{index}}}",
        f"{names[0]} {names[1]}",
    ]
    return f"{left} {right}", equal, near


def congruence(rng):
    m = rng.randint(5, 12)
    r = rng.randint(1, m - 1)
    equal = [
        f"x \\equiv {r} \\pmod{{{m}}}",
        f"x \\equiv {r + m} \\pmod{{{m}}}",
        f"x = {m}k + {r}, k \\in \\mathbb{{Z}}",
        f"x \\equiv {r} \\ (\\mathrm{{mod}}\\ {m})",
        f"x = {r} + {m}n, n \\in \\mathbb{{Z}}",
        f"x\\equiv {r} \\bmod {m}",
    ]
    near = [
        f"x \\equiv {(r + 1) % m} \\pmod{{{m}}}",
        f"x \\equiv {r} \\pmod{{{m + 1}}}",
        f"x = {r}",
        f"x = {m}k, k \\in \\mathbb{{Z}}",
    ]
    return f"x \\equiv {r} \\pmod{{{m}}}", equal, near


def absolute(rng):
    a = rng.randint(1, 9)
    equal = [
        f"|x - {a}|",
        f"\\left|x-{a}\\right|",
        f"\\lvert x - {a}\\rvert",
        f"|{a} - x|",
        f"\\begin{{cases}} x - {a} & x \\ge {a} \\\\ {a} - x & x < {a} \\end{{cases}}",
        f"\\begin{{cases}} {a} - x & \\text{{if }} x < {a} \\\\ x - {a} & \\text{{otherwise}} \\end{{cases}}",
        f"\\sqrt{{(x-{a})^2}}",
    ]
    near = [
        f"x - {a}",
        f"|x + {a}|",
        f"|x| - {a}",
        f"\\begin{{cases}} x - {a} & x \\ge {a} \\\\ {a} + x & x < {a} \\end{{cases}}",
    ]
    return f"|x - {a}|", equal, near


def clock(rng):
    hour, minute = rng.randint(1, 11), rng.randint(0, 59)
    late = rng.random() < 0.5
    equal = [
        Plain(f"{hour}:{minute:02d} {'p.m.' if late else 'a.m.'}"),
        Plain(f"{hour}:{minute:02d} {'PM' if late else 'AM'}"),
        f"{hour}:{minute:02d}\\text{{ {'p.m.' if late else 'a.m.'}}}",
        Plain(f"{hour + 12 * late:02d}:{minute:02d}"),
    ]
    near = [
        Plain(f"{hour}:{(minute + 1) % 60:02d} {'p.m.' if late else 'a.m.'}"),
        Plain(f"{hour}:{minute:02d} {'a.m.' if late else 'p.m.'}"),
    ]
    if not late:  # 10:08 is met by 10:08 p.m., as a clock without halves shows both
        near.append(Plain(f"{hour + 12:02d}:{minute:02d}"))
    return f"{hour}:{minute:02d} {'p.m.' if late else 'a.m.'}", equal, near


def ratio(rng):
    a, b = rng.randint(1, 12), rng.randint(1, 12)
    a, b = a // math.gcd(a, b), b // math.gcd(a, b)
    equal = [f"{a}:{b}", Plain(f"{a}:{b}"), f"{a} : {b}", Plain(f"{a} to {b}"), f"{60 * a}:{60 * b}", Plain(f"{a}∶{b}")]
    near = [f"{b}:{a}" if a != b else "3:4", f"{a + 1}:{b}", f"{a}:{b}:1", f"{a}.{b}"]
    return f"{a}:{b}", equal, near


def same(left, right):
    """Whether two SymPy expressions agree at four random points to 30 digits."""
    difference = left - right
    names = sorted(difference.free_symbols, key=str)
    for k in range(4):
        point = {name: sympy.Rational(7 * k + 11, 13) + sympy.Rational(3, 7 + index) for index, name in enumerate(names)}
        value = sympy.N(difference.subs(point), 30, chop=True)
        if value.has(sympy.zoo, sympy.nan):
            continue
        if abs(value) > sympy.Float("1e-20"):
            return False
    return True


KINDS = [
    integer,
    fraction,
    decimal,
    scientific,
    percent,
    money,
    quantity,
    words,
    fraction_words,
    radical,
    pi_multiple,
    complex_number,
    base_numeral,
    combinatorial,
    polynomial,
    rational_expression,
    transcendental,
    logarithm,
    series,
    pair,
    number_set,
    plus_minus,
    interval,
    ray,
    excluded,
    equation,
    matrix,
    choice,
    indexed,
    congruence,
    absolute,
    clock,
    ratio,
]
