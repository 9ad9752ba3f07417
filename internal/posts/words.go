package posts

// category is a category of pins. As in the real table, its pins are consecutive rows that start at
// first.
type category struct {
	name  string
	first int
	nouns []string
}

// categories holds the categories in the order of their rows.
var categories = []category{
	{"art", 0, []string{
		"Watercolour Study", "Charcoal Portrait", "Acrylic Pour", "Ink Sketch", "Paper Collage", "Clay Figure", "Street Mural", "Oil Landscape", "Line Drawing", "Pastel Drawing",
	}},
	{"beauty", 881, []string{
		"Braided Updo", "Matte Lipstick", "Nail Design", "Smoky Eye", "Skin Routine", "Short Haircut", "Balayage", "Brow Shape", "Face Mask", "Curly Bob",
	}},
	{"christmas", 1637, []string{
		"Advent Wreath", "Gingerbread House", "Tree Garland", "Stocking", "Mantel Decor", "Snow Globe", "Gift Wrap", "Porch Lantern", "Paper Star", "Candle Centrepiece",
	}},
	{"diy-and-crafts", 2621, []string{
		"Macrame Hanger", "Felt Toy", "Paper Flower", "Crochet Basket", "Wood Sign", "Summer Craft", "Button Card", "Rope Bowl", "Slime Recipe", "Yarn Pompom",
	}},
	{"education", 3469, []string{
		"Reading Corner", "Spelling Game", "Fraction Chart", "Lesson Plan", "Science Station", "Phonics Card", "Classroom Poster", "Maths Corner", "Writing Prompt", "Counseling Activity",
	}},
	{"event-planning", 4331, []string{
		"Garden Wedding", "Baby Shower", "Table Setting", "Balloon Arch", "Seating Chart", "Dessert Bar", "Photo Booth", "Invitation Suite", "Picnic Party", "Backyard Birthday",
	}},
	{"finance", 5081, []string{
		"Savings Challenge", "Monthly Budget", "Debt Tracker", "Side Hustle", "Coupon Binder", "Grocery List", "Emergency Fund", "Frugal Habit", "Cash Envelope", "Retirement Plan",
	}},
	{"home-decor", 5851, []string{
		"Gallery Wall", "Farmhouse Kitchen", "Entry Bench", "Linen Closet", "Reading Nook", "Accent Chair", "Open Shelf", "Bathroom Makeover", "Boho Bedroom", "Fireplace Mantel",
	}},
	{"mens-fashion", 6731, []string{
		"Denim Jacket", "Wool Overcoat", "Leather Boot", "Linen Shirt", "Tailored Suit", "Knit Sweater", "Slim Chino", "Wrist Watch", "Street Outfit", "Canvas Sneaker",
	}},
	{"quotes", 7571, []string{
		"Morning Thought", "Friendship Quote", "Strength Quote", "Life Lesson", "Love Letter", "Monday Reminder", "Funny Saying", "Kind Word", "Self Care Note", "Book Line",
	}},
	{"tattoos", 8471, []string{
		"Forearm Tattoo", "Rose Outline", "Mandala Sleeve", "Fine Line Wolf", "Lettering", "Compass Piece", "Ankle Tattoo", "Moth Design", "Back Piece", "Wave Symbol",
	}},
	{"travel", 9466, []string{
		"Road Trip", "Island Guide", "City Weekend", "Packing List", "Hiking Trail", "Night Market", "Beach Hotel", "Train Route", "Mountain Cabin", "Hidden Village",
	}},
	{"vehicles", 10301, []string{
		"Classic Coupe", "Camper Van", "Trail Motorcycle", "Sports Car", "Pickup Truck", "Rally Wagon", "Electric Scooter", "Custom Chopper", "Muscle Car", "Vintage Bus",
	}},
}

// categoryOf returns the category of a row.
func categoryOf(row int) *category {
	found := &categories[0]
	for i := range categories {
		if categories[i].first <= row {
			found = &categories[i]
		}
	}
	return found
}

// titles, phrases and adjectives are the parts of titles and descriptions.
var titles = []string{
	"{n} {adj} {noun} Ideas", "{adj} {noun}", "How to Make That {adj} {noun}", "{noun} & {Noun}: The {adj} Guide",
	"The {adj} {noun} You'll Love", "{n} {noun} Ideas for {year}", "DIY {adj} {noun} | Step by Step", "{adj} {noun} - {n} Tips",
	"Why I Love This {noun}", "{noun} • {adj} and Simple",
}

// phrases holds the sentences of descriptions.
var phrases = []string{
	"The {adj} {noun} for every day.", "Find out how to get the {adj} {noun} that everybody talks about.",
	"I made this {noun} last weekend and it was so easy!",
	"Looking for that {adj} {noun}? You'll find it here, with this {Noun} for free.", "The best {tag} ideas: {noun}, {Noun} and more.",
	"It's \"{adj}\", it's cheap, it's this {noun}.", "Save this {noun} for later – you'll need it.",
	"Here's what nobody tells you about the {adj} {noun}", "Browse our collection of {adj} {tag} inspiration.",
}

// adjectives precede nouns.
var adjectives = []string{
	"Simple", "Easy", "Modern", "Vintage", "Rustic", "Bold", "Minimalist", "Vivid", "Elegant", "Cosy", "Creative", "Unique",
	"Handmade", "Budget", "Classic", "Fresh", "Beautiful", "Clever", "Tiny", "Perfect",
}

// emoji holds the ends of some texts: characters outside the basic plane, and joined ones.
var emoji = []string{
	"🎄", "🔥", "👍", "✨", "😍😍", "👩‍🎨",
}

// cyrillic holds texts in another script.
var cyrillic = []string{
	"Идеи для дома", "Зимний уют своими руками", "Простые рецепты на каждый день",
}

// posterFirst and posterLast are the parts of the names of posters.
var posterFirst = []string{
	"Maple Lane", "Golden Hour", "Paper Fox", "Quiet Corner", "Northern Thread", "Sunny Side", "Blue Door", "Little Harbour",
	"Wild Clover", "Juniper", "Oak & Ivy", "The Happy Maker", "Velvet Moon", "Copper Kettle", "Cloud Nine", "Pocket Garden",
	"River Stone", "Bright Attic", "Salt & Linen", "Old Orchard", "Ruby Road", "Silver Birch", "Café Olé", "Studio Søren",
	"Lemon Tree", "Rosa's", "Red Barn", "Starling", "Tidy Nest", "Open Window",
}

// posterLast holds the second parts.
var posterLast = []string{
	"Blog", "Studio", "Crafts", "Home", "Living", "Design", "Magazine", "Journal", "Shop", "Kitchen", "Travels", "Collective",
	"Ideas", "DIY", "Lifestyle | Home & Garden", "Daily", "Co.", "Classroom", "Motors", "Style", "Notes", "Workshop", "Weekly",
	"Official",
}

// firstNames and lastNames are the parts of the names of users.
var firstNames = []string{
	"Aaron", "Abigail", "Adam", "Alexander", "Amanda", "Andrea", "Anthony", "Ashley", "Benjamin", "Brandon", "Brittany", "Charles",
	"Christina", "Christopher", "Daniel", "David", "Deborah", "Elizabeth", "Emily", "Eric", "Frances", "Gary", "Hannah", "Heather",
	"Jacob", "James", "Jasmine", "Jennifer", "Jessica", "Jonathan", "Joshua", "Karen", "Kevin", "Laura", "Linda", "Madison", "Maria",
	"Mark", "Matthew", "Melissa", "Michael", "Nancy", "Nicole", "Olivia", "Patrick", "Rachel", "Rebecca", "Robert", "Ryan",
	"Samantha", "Sarah", "Sean", "Stephanie", "Susan", "Thomas", "Timothy", "Tyler", "Victoria", "William", "Zachary",
}

// lastNames includes names with apostrophes and hyphens.
var lastNames = []string{
	"Adams", "Allen", "Anderson", "Baker", "Barnes", "Bell", "Bennett", "Bradshaw", "Brooks", "Brown", "Butler", "Campbell",
	"Carter", "Castillo", "Clark", "Collins", "Cook", "Cooper", "Cox", "Davis", "Diaz", "Edwards", "Evans", "Flores", "Foster",
	"Garcia", "Gomez", "Gonzalez", "Gray", "Green", "Hall", "Hamilton", "Harris", "Hawkins", "Hernandez", "Hill", "Howard", "Hughes",
	"Jackson", "James", "Jenkins", "Johnson", "Jones", "Kelly", "King", "Lee", "Lewis", "Long", "Lopez", "Martin", "Martinez",
	"Miller", "Mitchell", "Moore", "Morgan", "Morris", "Murphy", "Myers", "Nelson", "Nguyen", "O'Brien", "O'Connor", "Ortiz",
	"Parker", "Perez", "Peterson", "Phillips", "Powell", "Price", "Ramirez", "Reed", "Reyes", "Richardson", "Rivera", "Roberts",
	"Robinson", "Rodriguez", "Rogers", "Ross", "Russell", "Sanchez", "Sanders", "Scott", "Smith", "Smith-Jones", "Stewart",
	"Sullivan", "Taylor", "Thomas", "Thompson", "Torres", "Turner", "Walker", "Ward", "Watson", "White", "Williams", "Wilson",
	"Wood", "Wright", "Young",
}
