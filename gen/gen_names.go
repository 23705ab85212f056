package gen

import "strings"

// A culture is a stock of names. Each name is in its shown form, followed by a bar and its form in
// an address if that differs by more than case.
type culture struct {
	share      uint64 // of 1,000 people
	familyLead bool   // the family name comes first and without a space
	given      []string
	family     []string
}

var cultures = [...]culture{
	{
		share: 300,
		given: words(`Anna Lukas Jürgen|juergen Björn|bjoern Sören|soeren Käthe|kaethe Günther|guenther Ute Heike
			Klaus Dieter Petra Sabine Monika Stefan Markus Tobias Katharina Johanna Felix Maximilian Jonas Leonie
			Franziska Annegret Wolfgang Bärbel|baerbel Jörg|joerg Ulrike Birgit Matthias Sebastian Florian Kerstin`),
		family: words(`Müller|mueller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Schäfer|schaefer
			Koch Bauer Richter Klein Wolf Schröder|schroeder Neumann Schwarz Zimmermann Braun Krüger|krueger Hofmann
			Hartmann Lange Weiß|weiss Köhler|koehler Jäger|jaeger Groß|gross Böhm|boehm Voß|voss Kühn|kuehn Göbel|goebel
			Müller-Lüdenscheidt|mueller-luedenscheidt`),
	},
	{
		share: 270,
		given: words(`James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara Richard Susan
			Joseph Jessica Thomas Sarah Charles Karen Siobhán|siobhan Aoife Seán|sean Niamh Ethan Olivia Liam Emma Noah
			Ava Mason Chloe Grace Oliver Zoë|zoe Mary-Ann Deirdre`),
		family: words(`Smith Johnson Williams Brown Jones Garcia Miller Davis Wilson Anderson Taylor Moore Jackson Martin Lee
			Thompson White Harris Clark Lewis Robinson Walker Young King Wright Scott Green Baker O'Brien|obrien
			O'Neill|oneill O'Sullivan|osullivan D'Arcy|darcy McCarthy MacDonald Fitzgerald Smith-Jones Lloyd-Hughes`),
	},
	{
		share: 90,
		given: words(`Jean Marie Pierre Camille François|francois Hélène|helene René|rene Zoé|zoe Éric|eric Noémie|noemie
			Chloé|chloe Jérôme|jerome Gaëlle|gaelle Benoît|benoit Agnès|agnes Loïc|loic Anaïs|anais Thérèse|therese
			Jean-Luc Anne-Sophie`),
		family: words(`Martin Bernard Dubois Durand Moreau Lefèvre|lefevre Garnier Faure Rousseau Lambert Gauthier
			D'Alembert|dalembert L'Hôpital|lhopital Béranger|beranger Çelik|celik Noël|noel Lemaître|lemaitre Boulanger
			Côté|cote Lévêque|leveque`),
	},
	{
		share: 80,
		given: words(`Giulia Marco Francesca Alessandro Chiara Matteo Niccolò|niccolo Beatrice José|jose María|maria Íñigo|inigo
			Begoña|begona Joaquín|joaquin Lucía|lucia Andrés|andres João|joao Inês|ines Gonçalo|goncalo Conceição|conceicao`),
		family: words(`Rossi Russo Ferrari Esposito D'Angelo|dangelo D'Amico|damico Dell'Acqua|dellacqua Colombo García|garcia
			Fernández|fernandez Núñez|nunez Muñoz|munoz Gómez|gomez Ibáñez|ibanez Silva Gonçalves|goncalves Simões|simoes
			Araújo|araujo Magalhães|magalhaes`),
	},
	{
		share: 90,
		given: words(`Åsa|asa Bjørn|bjorn Øyvind|oyvind Søren|soren Mette Freja Jürgen|jurgen Lærke|laerke Göran|goran Örjan|orjan
			Märta|marta Aino Väinö|vaino Päivi|paivi Eeva Þórdís|thordis Guðrún|gudrun Sigurður|sigurdur Astrid Håkon|hakon`),
		family: words(`Nielsen Jensen Sørensen|sorensen Møller|moller Østergaard|ostergaard Åkesson|akesson Sjöberg|sjoberg
			Lindström|lindstrom Håkansson|hakansson Bergström|bergstrom Mäkinen|makinen Hämäläinen|hamalainen Virtanen
			Ødegård|odegard Nygård|nygard Jónsdóttir|jonsdottir Þorsteinsson|thorsteinsson`),
	},
	{
		share: 70,
		given: words(`Łukasz|lukasz Małgorzata|malgorzata Zażółć|zazolc Stanisław|stanislaw Jiří|jiri Kateřina|katerina
			Šárka|sarka Dušan|dusan Žofie|zofie Đorđe|djordje Çağla|cagla İbrahim|ibrahim Gülşen|gulsen Oğuz|oguz Işıl|isil
			Győző|gyozo Zsófia|zsofia Ștefan|stefan`),
		family: words(`Nowak Wiśniewski|wisniewski Wójcik|wojcik Dąbrowska|dabrowska Łoś|los Dvořák|dvorak Černý|cerny
			Růžička|ruzicka Němcová|nemcova Šťastný|stastny Horváth|horvath Szűcs|szucs Yıldız|yildiz Öztürk|ozturk
			Şahin|sahin Đorđević|djordjevic Țurcanu|turcanu`),
	},
	{
		share: 30,
		given: words(`Иван|ivan Ольга|olga Сергей|sergei Наталья|natalya Дмитрий|dmitry Юлия|yulia Артём|artyom Ксения|ksenia
			Олена|olena Тарас|taras Їва|yiva`),
		family: words(`Иваненко|ivanenko Шевченко|shevchenko Кузнец|kuznets Попович|popovich Мороз|moroz Бондарь|bondar
			Коваль|koval Ґалаґан|galagan Ткач|tkach`),
	},
	{
		share: 15,
		given: words(`Γιώργος|giorgos Ελένη|eleni Νίκος|nikos Μαρία|maria Δημήτρης|dimitris Σοφία|sofia`),
		family: words(`Παπαδόπουλος|papadopoulos Γεωργίου|georgiou Νικολαΐδης|nikolaidis Ιωάννου|ioannou
			Οικονόμου|oikonomou`),
	},
	{
		share:      25,
		familyLead: true,
		given: words(`太郎|taro 花子|hanako 健一|kenichi さくら|sakura 翔|sho 美咲|misaki 伟|wei 芳|fang 秀英|xiuying 民|min
			静|jing 서연|seoyeon 민준|minjun 지우|jiwoo`),
		family: words(`佐藤|sato 鈴木|suzuki 高橋|takahashi 田中|tanaka 渡辺|watanabe 王|wang 李|li 张|zhang 刘|liu 陈|chen
			김|kim 이|lee 박|park`),
	},
	{
		share:  15,
		given:  words(`محمد|mohammed فاطمة|fatima أحمد|ahmed ليلى|layla נועה|noa אורי|uri תמר|tamar`),
		family: words(`الحسن|alhasan خوري|khoury منصور|mansour حداد|haddad כהן|cohen לוי|levi מזרחי|mizrahi`),
	},
	{
		share: 15,
		given: words(`राहुल|rahul प्रिया|priya अमित|amit सुनीता|sunita ஆனந்த்|anand மீனா|meena สมชาย|somchai
			มาลี|malee`),
		family: words(`शर्मा|sharma गुप्ता|gupta पटेल|patel सिंह|singh குமார்|kumar ராஜன்|rajan ใจดี|jaidee`),
	},
}

func words(s string) []string { return strings.Fields(s) }

// name makes up a name: its shown form, and the local part of its address.
func (r *rng) name() (shown, address string) {
	n := r.below(1000)
	c := &cultures[0]
	for i := range cultures {
		if c = &cultures[i]; n < c.share {
			break
		}
		n -= c.share
	}
	given, givenAddress := split(c.given[r.below(uint64(len(c.given)))])
	family, familyAddress := split(c.family[r.below(uint64(len(c.family)))])
	address = givenAddress + "." + familyAddress
	if c.familyLead {
		return family + given, address
	}
	return given + " " + family, address
}

func split(word string) (shown, address string) {
	shown, address, ok := strings.Cut(word, "|")
	if !ok {
		address = strings.ToLower(shown)
	}
	return shown, address
}
