<?php
// The front of a small site, as WordPress is one: it finds its pages in the address that was asked for.
session_start();

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$base = dirname($_SERVER['SCRIPT_NAME']);
$page = '/' . ltrim(substr($path, strlen($base === '/' ? '' : $base)), '/');

switch ($page) {
    case '/':
    case '/index.php':
        $_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
        printf('<p>Visit %d', $_SESSION['visits']);
        if (isset($_SESSION['name'])) {
            printf(' of %s', htmlspecialchars($_SESSION['name']));
        }
        break;
    case '/login':
        if ($_SERVER['REQUEST_METHOD'] === 'POST') {
            $_SESSION['name'] = $_POST['name'];
            header('Location: ' . rtrim($base, '/') . '/', true, 303);
            break;
        }
        echo '<form method="post"><input name="name"></form>';
        break;
    case '/upload':
        foreach ($_FILES as $field => $file) {
            printf('%s: %s, %d bytes, %s', $field, $file['name'], $file['size'], md5_file($file['tmp_name']));
        }
        break;
    case '/log':
        error_log('said to the operator');
        echo 'logged';
        break;
    case '/fails':
        http_response_code(500);
        echo 'an error page';
        exit(255);
    case '/nothing':
        http_response_code(204);
        break;
    default:
        http_response_code(404);
        printf('<p>No page %s', htmlspecialchars($page));
}
